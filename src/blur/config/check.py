"""A look at every setting of a task before any job starts: a fault in any file is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from blur.config.load import Layer, file_of, require_known, under, validate
from blur.config.names import require_names
from blur.core.choice import available
from blur.core.errors import ConfigError, did_you_mean
from blur.derived import base as derived
from blur.measure import library
from blur.metrics.specs import reads_of
from blur.report.settings import TableSettings

if TYPE_CHECKING:
    from blur.config.plan import Plan
    from blur.config.task import Task
    from blur.measure.settings import MeasureSettings

Known = dict[str, list[str]]


def check(plan: Plan, task: str) -> None:
    """Resolve every setting of a task once, and look up every name.

    Raises:
        ConfigError: there is a fault in any file; names file, key and remedy.
    """
    resolved = plan.task(task)
    benchmark = resolved.benchmark
    _check_names(plan, task)
    if "train" in (resolved.config.target.kind, resolved.config.retrained.kind):
        plan.training_settings(task)
    _check_measured(plan, task, "metrics", plan.measure_settings(task))
    _check_measured(plan, task, "trajectory", plan.epoch_settings(task))
    for run in plan.runs(task):
        plan.derived(run)
    plan.check_unused(task)
    made = dict.fromkeys(attack for _, attack in plan.attacks.pairs(task))
    for attack in benchmark.attacks:
        plan.attacks.settings(task, attack)
        plan.attacks.metrics(task, attack)
    for attack in made:
        plan.attacks.measure(task, attack)
    known = _known(plan, resolved)
    judges: Known = {**known, "metric": [spec.name for spec in plan.metrics(task)]}
    require_names(benchmark, judges, resolved.benchmark_file)
    _check_drawn(plan, resolved, known)


def _known(plan: Plan, task: Task) -> Known:
    """Return what there is, by kind, for figures and table to name."""
    benchmark, name = task.benchmark, task.name
    variants = {method: plan.variants(method) for method in plan.methods}
    requests = ["default", *benchmark.requests]
    runs = [f"{method}/{variant}" for method in variants for variant in (*variants[method], *benchmark.requests)]
    settings = {run.method: plan.method_settings(run) for run in plan.runs(name)}.values()
    return {
        "set": list(task.data.set_names),
        "metric": list(dict.fromkeys(spec.name for spec in (*plan.metrics(name), *plan.metrics(name, "trajectory")))),
        "attack": list(benchmark.attacks),
        "arm": sorted(set().union(*(plan.attacks.arms(name, attack) for attack in benchmark.attacks))),
        "method": list(plan.methods),
        "model": [*plan.methods, "target", "retrained"],
        "request": requests,
        "variant": sorted({*requests, *(one for own in variants.values() for one in own)}),
        "run": [*plan.methods, *runs],
        "setting": sorted({path for one in settings for path in _paths(one.model_dump())}),
    }


def _paths(settings: Mapping[str, Any], above: str = "") -> list[str]:
    """Return the dotted paths of all settings."""
    paths = []
    for key, value in settings.items():
        paths += _paths(value, f"{above}{key}.") if isinstance(value, dict) else [f"{above}{key}"]
    return paths


def _check_names(plan: Plan, task: str) -> None:
    """Refuse settings of methods, attacks and derived things that have no file."""
    resolved = plan.task(task)
    methods = [*resolved.said("methods"), under(resolved.model_file, "methods")]
    of_scale, own = plan.scale_layers("attacks"), resolved.said("attacks")
    made = [*plan.scale_layers("derived"), under(resolved.model_file, "derived"), *resolved.said("derived")]
    for kind, known, layers in (
        ("method", plan.methods, methods),
        ("attack", plan.attacks.names, of_scale),
        ("attack", tuple(resolved.benchmark.attacks), own),
        ("module of blur.derived", available(derived.PACKAGE), made),
    ):
        for place, settings in layers:
            for name in settings:
                require_known(kind, name, known, place)
    for kind in available(derived.PACKAGE):
        plan.derived_settings(task, kind)


def _check_measured(plan: Plan, task: str, key: Literal["metrics", "trajectory"], settings: MeasureSettings) -> None:
    """Refuse metrics of what is not measured, and tasks of lm-eval that are unfit, or none."""
    settings.task_files()
    _check_library(settings, *plan.said_of_measuring(task, "measure" if key == "metrics" else "epochs"))
    for spec in plan.metrics(task, key):
        for name in sorted(spec.metric.reads().sets):
            where = plan.benchmark_place(task, f"metric {spec.name}")
            require_known("measurement of", name, sorted(settings.measured), where)
    try:
        settings.only(**vars(reads_of(plan.metrics(task, key))))
    except ValueError as error:
        remedy = "Add it under `measure` or `epochs`, or mend its name"
        raise ConfigError(str(error), plan.benchmark_place(task, key), remedy) from None


def _check_library(settings: MeasureSettings, *layers: Layer) -> None:
    """Refuse tasks that lm-eval's library has not."""
    for request in settings.harness:
        if not request.is_local and not library.has(request.task):
            where, _ = under((file_of(layers, ("harness",)), {}), "harness", request.name)
            remedy = did_you_mean(request.task, library.known(), "See `lm-eval ls tasks`")
            raise ConfigError(f"lm-eval has no task {request.task!r}", where, remedy)


def _check_drawn(plan: Plan, task: Task, known: Known) -> None:
    """Refuse figures without a module, and what figures and table name and the benchmark has not."""
    benchmark, file = task.benchmark, task.benchmark_file[0]
    for name, figure in task.figures.items():
        require_names(figure, known, *task.said_of_figure(name))
        require_names(plan.figure(task.name, name), known, *task.said_of_figure(name, "options"))
    table: Layer = (f"{file}: table", benchmark.table)
    told = {"utility": benchmark.judged_by.utility}
    require_names(validate(TableSettings, (f"{file}: judged_by", told), table), known, table)
