"""The plan: which tasks and runs there are at a scale, and the resolved settings of each.

Everything here is pure reading of YAML files; nothing imports torch. The Snakefile and the command line both use it,
so that a stage typed by hand and the same stage in the graph can never differ in their settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from blur.config.attacks import Attacks
from blur.config.load import Layer, file_of, read_yaml, require_known, suggest, under, validate, validate_unused
from blur.config.names import require_name, require_names
from blur.config.schema import (
    AttackSelection,
    BenchmarkConfig,
    MainConfig,
    MethodConfig,
    ModelConfig,
    Request,
    ScaleConfig,
    Selection,
    TaskConfig,
    by_topic,
)
from blur.config.sizes import require_fit, sizes_of
from blur.config.task import Run, Task
from blur.core.choice import available
from blur.core.errors import ConfigError
from blur.measure.settings import MeasureSettings
from blur.models.settings import ModelSettings
from blur.unlearn.alternates.base import AlternatesBase
from blur.unlearn.settings import UnlearnSettings

FINE_TUNING: Layer = (
    "built-in recipe of target and retrained",
    {"forget": [], "retain": [{"stream": "retain", "loss": "nll"}], "combine": {"name": "weighted"}},
)


class Plan:
    """All tasks, runs and settings of one scale.

    Args:
        folder: the configuration folder.
        overrides: values that replace keys of ``config.yaml`` (``snakemake --config``).

    Raises:
        ConfigError: any file that is used is wrong; names file, key and remedy.
    """

    def __init__(self, folder: Path | str = "config", overrides: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        main = self.layer("config.yaml")
        # Snakemake hands over the whole of it: what differs was typed.
        typed = {key: value for key, value in (overrides or {}).items() if key not in main[1] or main[1][key] != value}
        layers = [main, ("--config", typed)]
        self.main = validate(MainConfig, *layers)
        said = next((layer for layer in reversed(layers) if "scale" in layer[1]), layers[0])
        require_name("scale", self.main.scale, said[0])
        self._scale_layer = self.layer(f"scales/{self.main.scale}.yaml")
        self.scale = validate(ScaleConfig, self._scale_layer)
        self.name = self.main.scale
        self._require_nameable("task", "tasks", self.scale.tasks)
        self._require_nameable("variant", "variants", self.scale.variants)

    def _require_nameable(self, kind: str, key: str, names: Iterable[str]) -> None:
        for name in names:
            require_name(kind, name, self.scale_layer(key)[0])

    @cache  # noqa: B019 - a plan lives as long as its process
    def layer(self, name: str) -> Layer:
        """Return what a file of the configuration folder says; it is read once."""
        return str(self.folder / name), read_yaml(self.folder / name)

    def scale_layer(self, *keys: str) -> Layer:
        """Return what the scale's file says below ``keys``."""
        return under(self._scale_layer, *keys)

    def benchmark_place(self, task: str, key: str) -> str:
        """Return how an error names a key of a task's benchmark."""
        return f"{self.folder}/benchmarks/{self.task(task).config.benchmark}.yaml: {key}"

    @cache  # noqa: B019 - a plan lives as long as its process
    def check_metrics(self, task: str) -> None:
        """Refuse metrics that there are not, and parameters that they do not have.

        Raises:
            ConfigError: names the benchmark's file and the metric.
        """
        from blur.metrics import check_specs

        benchmark = self.task(task).benchmark
        for specs in (benchmark.metrics, benchmark.trajectory):
            try:
                check_specs(specs)
            except ConfigError as error:
                raise ConfigError(error.what, self.benchmark_place(task, str(error.where)), error.remedy) from None

    @cached_property
    def attacks(self) -> Attacks:
        """The attacks of the scale."""
        return Attacks(self)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that are run: the scale's default ones, or the one asked for."""
        if self.main.task is None:
            return self.scale.all
        if self.main.task not in self.scale.tasks:
            known = suggest(self.main.task, self.scale.tasks)
            raise ConfigError(f"scale {self.name!r} has no task {self.main.task!r}", self._scale_layer[0], known)
        return (self.main.task,)

    @cache  # noqa: B019 - a plan lives as long as its process
    def task(self, name: str) -> Task:
        """Return a task of this scale with everything it names, validated."""
        require_name("task", name, "--task")
        typed = self.layer(f"tasks/{name}.yaml"), self.scale_layer("tasks", name)
        config = validate(TaskConfig, *typed)
        bench_file = self.layer(f"benchmarks/{config.benchmark}.yaml")
        benchmark = validate(BenchmarkConfig, bench_file)
        for kind, names in (("request", benchmark.requests), ("figure", benchmark.figures)):
            for one in names:
                require_name(kind, one, f"{bench_file[0]}: {kind}s")
        model_file = self.layer(f"models/{config.model}.yaml")
        model_config = validate(ModelConfig, model_file)
        module = _data_module(bench_file, benchmark.module)
        model = validate(ModelSettings, (f"{model_file[0]}: model", model_config.model))
        return Task(
            name=name,
            config=config,
            benchmark=benchmark,
            benchmark_file=bench_file,
            data=validate(module.Settings, *(under(layer, "data") for layer in typed)),
            set_names=module.SET_NAMES,
            model=model,
            sizes=sizes_of(model, model_file[0]),
            model_file=model_file,
            typed=typed,
        )

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Names of all methods that have a file."""
        return tuple(sorted(path.stem for path in (self.folder / "methods").glob("*.yaml")))

    @cache  # noqa: B019
    def method(self, name: str) -> MethodConfig:
        """Return a method's file, validated; a name without a file is an error with the nearest name."""
        require_known("method", name, self.methods, str(self.folder / "methods"))
        layer = self.layer(f"methods/{name}.yaml")
        require_name("method", name, layer[0])
        config = validate(MethodConfig, layer)
        for variant in config.variants:
            require_name("variant", variant, f"{layer[0]}: variants")
        return config

    @cache  # noqa: B019
    def runs(self, task: str) -> tuple[Run, ...]:
        """Return the unlearning runs of a task, without doubles, in a fixed order; each after those it starts from."""
        resolved = self.task(task)
        where = resolved.place("runs") if resolved.config.runs else self.scale_layer("runs")[0]
        selections = resolved.config.runs or self.scale.runs
        chosen = [run for selection in selections for run in self.expand(task, selection, where)]
        return tuple({run: None for last in chosen for run in self._sequence(last)})

    def _sequence(self, run: Run) -> list[Run]:
        """Return the runs of a sequence of requests that ends with ``run``."""
        before = self.start(run)
        return [*([] if before == self.task(run.task).target else self._sequence(before)), run]

    def request(self, run: Run) -> Request | None:
        """Return the benchmark's request that a run's variant names; None for the benchmark's own forget set."""
        return self.task(run.task).benchmark.requests.get(run.variant)

    def start(self, run: Run) -> Run:
        """Return the run whose model an unlearning run starts from: the target's, or that of the request before."""
        request = self.request(run)
        if request is None or request.after is None:
            return self.task(run.task).target
        return Run(run.task, run.method, request.after, run.seed)

    def all_streams(self, run: Run) -> dict[str, dict[str, list[str]]]:
        """Return the sets of a benchmark's streams, by stream and topic; a request changes what is to be forgotten."""
        chosen, request = self.task(run.task).benchmark.training.all_streams, self.request(run)
        chosen |= {"forget": request.forget} if request else {}
        return {
            name: {topic: list(sets) for topic, sets in by_topic(stream).items()} for name, stream in chosen.items()
        }

    def streams(self, run: Run) -> dict[str, dict[str, list[str]]]:
        """Return the sets of an unlearning run's streams: forget, retain, and which further ones its method reads."""
        asked = {"forget", "retain", *self.unlearn_settings(run).streams}
        return {name: topics for name, topics in self.all_streams(run).items() if name in asked}

    def alternates(self, run: Run) -> dict[str, AlternatesBase]:
        """Return where alternates come from, by stream, for those streams whose losses read them."""
        sources = self.task(run.task).benchmark.training.sources
        return {stream: sources[name] for stream, name in self.unlearn_settings(run).alternates.items()}

    def expand(self, task: str, selection: Selection | AttackSelection, where: str) -> list[Run]:
        """Return the runs that a selection stands for; an unknown method is blamed on ``where`` it was typed."""
        for method in selection.methods:
            require_known("method", method, self.methods, where)
        return [
            Run(task, method, variant, seed)
            for method in selection.methods
            for variant in self._variants(task, method, selection.variants, where)
            for seed in selection.seeds
        ]

    def _variants(self, task: str, method: str, patterns: tuple[str, ...], where: str) -> list[str]:
        requests = self.task(task).benchmark.requests
        own = [*self.method(method).variants, *self.scale.variants]
        for name in own:
            if name in requests:
                file = str(self.folder / f"methods/{method}.yaml")
                raise ConfigError(f"the variant {name!r} is also a request of the benchmark", file, "Rename it")
        known = list(dict.fromkeys(["default", *own, *requests]))
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in known):
                remedy = f"{suggest(pattern, known)} ({self.folder}/methods/{method}.yaml)"
                raise ConfigError(f"no variant of {method!r} matches {pattern!r}", where, remedy)
        return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]

    @cache  # noqa: B019
    def evaluated(self, task: str) -> tuple[Run, ...]:
        """Return every model of a task that is evaluated: target, retrained where there is one, all unlearned ones."""
        resolved = self.task(task)
        return (*(run for run in (resolved.target, resolved.retrained) if run), *self.runs(task))

    def require(self, run: Run) -> None:
        """Refuse a run that cannot be: an unknown task, method or variant."""
        task = self.task(run.task)
        if run.method == "base" or run in (task.target, task.retrained):
            return
        if run.method in ("target", "retrained"):
            raise ConfigError(f"the task has no {run.path}", task.file, "See its seed and kind")
        self._variants(run.task, run.method, (run.variant,), "--variant")

    @cache  # noqa: B019
    def training_settings(self, task: str) -> UnlearnSettings:
        """Return how the target and the retrained model of a task are trained, without their seed."""
        layers = [FINE_TUNING, *self._common(task, "train")]
        settings = validate(UnlearnSettings, *layers)
        require_names(settings, {"stream": ["retain"], "alternates": []}, *layers)
        require_fit(settings, self.task(task).sizes, *layers)
        return settings

    def _common(self, task: str, key: Literal["train", "unlearn"]) -> list[Layer]:
        """Return what scale, model and task say of all trainings of a kind."""
        resolved = self.task(task)
        return [self.scale_layer(key), under(resolved.model_file, key), *resolved.said(key)]

    @cache  # noqa: B019
    def unlearn_settings(self, run: Run) -> UnlearnSettings:
        """Return the resolved settings of an unlearning run.

        Later ones win: scale, model, task, method, the model's and the task's settings of the method, variant, seed.
        """
        layers = self._unlearn_layers(run)
        settings = validate(UnlearnSettings, *layers)
        if not settings.forget:
            raise ConfigError("key 'forget' names no loss: nothing would be forgotten", file_of(layers, ("forget",)))
        training = self.task(run.task).benchmark.training
        known = {"stream": list(training.all_streams), "alternates": list(training.sources)}
        require_names(settings, known, *layers)
        require_fit(settings, self.task(run.task).sizes, *layers)
        _require_sums(settings, *layers)
        return settings.model_copy(update={"seed": run.seed})

    def check_unused(self, task: str) -> None:
        """Check the settings of the methods, and of their variants, that no run of a task has.

        Raises:
            ConfigError: some key or value of them could be in no run.
        """
        used = {(run.method, run.variant) for run in self.runs(task)}
        for method in self.methods:
            for variant in ("default", *self.method(method).variants, *self.scale.variants):
                if (method, variant) not in used:
                    validate_unused(UnlearnSettings, *self._unlearn_layers(Run(task, method, variant)))

    @cache  # noqa: B019
    def check_matched(self, name: str) -> None:
        """Refuse a method that takes the weight of the retain loss from a run that cannot be.

        Raises:
            ConfigError: a variant, or the other method, is none.
        """
        place = f"{self.folder}/methods/{name}.yaml: matched_lambda"
        for variant, matched in self.method(name).matched_lambda.items():
            require_known("variant", variant, ["default", *self.method(name).variants], place)
            require_known("method", matched.method, self.methods, f"{place}.{variant}.method")
            known = ["default", *self.method(matched.method).variants, *self.scale.variants]
            require_known("variant", matched.variant, known, f"{place}.{variant}.variant")

    def _unlearn_layers(self, run: Run) -> list[Layer]:
        task, method = self.task(run.task), self.method(run.method)
        file = str(self.folder / f"methods/{run.method}.yaml")
        return [
            *self._common(run.task, "unlearn"),
            (f"{file}: settings", method.settings),
            under(task.model_file, "methods", run.method),
            *task.said("methods", run.method),
            self.scale_layer("variants", run.variant),
            (f"{file}: variants.{run.variant}", method.variants.get(run.variant, {})),
        ]

    @cache  # noqa: B019
    def measure_settings(self, task: str) -> MeasureSettings:
        """Return what is measured of each finished model."""
        resolved = self.task(task)
        own = (self.benchmark_place(task, "measure"), resolved.benchmark.measure)
        return self._measured(resolved, own, self.scale_layer("measure"), *resolved.said("measure"))

    @cache  # noqa: B019
    def epoch_settings(self, task: str) -> MeasureSettings:
        """Return what is measured at each epoch's end while unlearning."""
        resolved = self.task(task)
        own = (self.benchmark_place(task, "epochs"), resolved.benchmark.epochs)
        return self._measured(resolved, own, *resolved.said("epochs"))

    def _measured(self, task: Task, *layers: Layer) -> MeasureSettings:
        settings = validate(MeasureSettings, *layers)
        require_names(settings, {"set": task.set_names}, *layers)
        return settings


def _require_sums(settings: UnlearnSettings, *layers: Layer) -> None:
    """Refuse a loss that reads reference sums of a stream that none are made of."""
    for side in ("forget", "retain"):
        for term in getattr(settings, side):
            if "reference_sums" in term.loss.needs and term.stream != "forget":
                what = f"{term.loss.name} reads reference sums, made of the stream 'forget', not {term.stream!r}"
                place, _ = under((file_of(layers, (side,)), {}), side)
                raise ConfigError(what, place, "Name that stream, or a loss without reference sums")


def _data_module(where: Layer, name: str) -> ModuleType:
    """Return a benchmark's data module: what says which settings it has, and which sets it builds."""
    names = available("blur.data")
    found = import_module(f"blur.data.{name}") if name in names else None
    if found is None or not _builds_sets(found):
        known = [one for one in names if _builds_sets(import_module(f"blur.data.{one}"))]
        what = f"no module {name!r} of blur.data that builds sets (with `Settings` and `SET_NAMES`)"
        raise ConfigError(what, f"{where[0]}: module", suggest(name, known))
    return found


def _builds_sets(module: ModuleType) -> bool:
    return hasattr(module, "Settings") and hasattr(module, "SET_NAMES")
