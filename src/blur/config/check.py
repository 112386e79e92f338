"""A look at every setting of a task before any job starts: a fault in any file is told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blur.config.load import require_known, suggest, under
from blur.core.errors import ConfigError
from blur.core.fingerprint import SOURCE

if TYPE_CHECKING:
    from blur.config.plan import Plan
    from blur.measure.settings import MeasureSettings


def check(plan: Plan, task: str) -> None:
    """Resolve every setting of a task once.

    Raises:
        ConfigError: there is a fault in any file; names file, key and remedy.
    """
    from blur.metrics import check_specs

    resolved = plan.task(task)
    for specs in (resolved.benchmark.metrics, resolved.benchmark.trajectory):
        try:
            check_specs(specs)
        except ConfigError as error:
            raise ConfigError(error.what, plan.benchmark_place(task, str(error.where)), error.remedy) from error
    _check_names(plan, task)
    if "train" in (resolved.config.target.kind, resolved.config.retrained.kind):
        plan.training_settings(task)
    _check_measured(plan, task, resolved.benchmark.metrics, plan.measure_settings(task))
    _check_measured(plan, task, resolved.benchmark.trajectory, plan.epoch_settings(task))
    _check_judges(plan, task)
    _check_drawn(plan, task)
    for run in plan.runs(task):
        plan.unlearn_settings(run)
    made = dict.fromkeys(attack for _, attack in plan.attacks.pairs(task))
    for attack in resolved.benchmark.attacks:
        plan.attacks.settings(task, attack)
    for attack in made:
        _check_measured(plan, task, plan.attacks.metrics(task, attack)[0], plan.attacks.measure(task, attack))


def _check_names(plan: Plan, task: str) -> None:
    """Refuse settings of methods and attacks that have no file."""
    resolved = plan.task(task)
    methods = [*resolved.said("methods"), under(resolved.model_file, "methods")]
    of_scale, own = [plan.scale_layer("attacks")], resolved.said("attacks")
    for kind, known, layers in (
        ("method", plan.methods, methods),
        ("attack", plan.attacks.names, of_scale),
        ("attack", tuple(resolved.benchmark.attacks), own),
    ):
        for place, settings in layers:
            for name in settings:
                require_known(kind, name, known, place)


def _check_measured(plan: Plan, task: str, specs: Sequence[Mapping[str, Any]], settings: MeasureSettings) -> None:
    """Refuse metrics of what is not measured, and task files that are unfit."""
    from blur.metrics.base import sets_of

    settings.task_files()
    for spec in specs:
        missing = sorted(sets_of(spec) - settings.measured)
        if missing:
            what = f"task {task!r} does not measure {missing[0]!r}"
            where = plan.benchmark_place(task, f"metric {spec['name']}")
            raise ConfigError(what, where, suggest(missing[0], sorted(settings.measured)))


def _check_drawn(plan: Plan, task: str) -> None:
    """Refuse figures without a module, and attacks and metrics of figures and table that the benchmark has not."""
    benchmark = plan.task(task).benchmark
    modules = sorted(path.stem for path in (SOURCE / "report/figures").glob("[!_]*.py"))
    known = sorted({spec["name"] for spec in (*benchmark.metrics, *benchmark.trajectory)})
    asked: list[tuple[str, Mapping[str, Any]]] = [("table", benchmark.table)]
    for name, figure in benchmark.figures.items():
        where, one = plan.benchmark_place(task, f"figures.{name}"), figure.options.get("attack")
        for attack in (*figure.attacks, *([one] if one else []), *figure.options.get("arms", ())):
            require_known("attack", attack, benchmark.attacks, where)
        require_known("figure module", figure.module, modules, f"{where}.module")
        asked.append((f"figures.{name}.options", figure.options))
    for place, options in asked:
        for key in ("columns", "parts", "metrics", "forget", "utility", "chance"):
            named = options.get(key) or ()
            for metric in [named] if isinstance(named, str) else named:
                if str(metric).partition(".")[0] not in known:
                    where = plan.benchmark_place(task, f"{place}.{key}")
                    raise ConfigError(f"no metric {metric!r}", where, suggest(str(metric), known))


def _check_judges(plan: Plan, task: str) -> None:
    """Refuse judges, of one request or of a sequence, that are no metrics of the benchmark."""
    benchmark = plan.task(task).benchmark
    known = [spec["name"] for spec in benchmark.metrics]
    sequence = benchmark.sequence.metrics if benchmark.sequence else ()
    judged = benchmark.judged_by
    unseen = (judged.unseen,) if judged.unseen else ()
    judges = {"judged_by": (*judged.forget, judged.utility, *unseen), "sequence": sequence}
    for key, name in ((key, name) for key, names in judges.items() for name in names):
        require_known("metric", name, known, plan.benchmark_place(task, key))
