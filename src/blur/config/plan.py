"""The plan: which tasks and runs there are at a scale, and the resolved settings of each.

Everything here is pure reading of YAML files; nothing imports torch. The Snakefile and the command line both use it,
so that a stage typed by hand and the same stage in the graph can never differ in their settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from blur.config.attacks import Attacks
from blur.config.load import (
    Layer,
    choice_of,
    file_of,
    read_yaml,
    require_known,
    speaker,
    suggest,
    under,
    validate,
    validate_unused,
)
from blur.config.names import require_name, require_names
from blur.config.schema import (
    AttackSelection,
    BenchmarkConfig,
    FigureConfig,
    FiguresConfig,
    MainConfig,
    MethodConfig,
    ModelConfig,
    Request,
    ScaleConfig,
    Selection,
    TaskConfig,
    by_topic,
)
from blur.config.selecting import selecting
from blur.config.sizes import require_fit, sizes_of
from blur.config.task import JobName, Run, Task
from blur.core.choice import available
from blur.core.errors import ConfigError, asked_in
from blur.core.shipped import CONFIG, find, stems
from blur.data.benchmarks import base as benchmarks
from blur.data.benchmarks.base import DataBase
from blur.derived import base as derived
from blur.derived.base import DerivedBase
from blur.edits.base import EditSettings
from blur.measure.settings import MeasureSettings
from blur.metrics.specs import Spec, read_specs
from blur.models.settings import ModelSettings
from blur.report.figures.base import FigureBase
from blur.unlearn.alternates.base import AlternatesBase
from blur.unlearn.asked import Asked
from blur.unlearn.losses.base import LIVE
from blur.unlearn.settings import UnlearnSettings

FIGURES = "blur.report.figures"
MethodSettings = UnlearnSettings | EditSettings
KINDS: dict[str, type[MethodSettings]] = {"train": UnlearnSettings, "edit": EditSettings}
OWN = "own"  # what the benchmark itself demands to forget, where a request is asked for
FINE_TUNING: Layer = (
    "built-in recipe of target and retrained",
    {"forget": [], "retain": [{"stream": "retain", "loss": "nll"}], "combine": {"name": "weighted"}},
)


class Plan:
    """All tasks, runs and settings of one scale.

    Args:
        folder: the configuration folder; what a relative one lacks is the packaged copy's (``blur.core.shipped``).
        overrides: values that replace keys of ``config.yaml`` (``snakemake --config``).

    Raises:
        ConfigError: any file that is used is wrong; names file, key and remedy.
    """

    def __init__(self, folder: Path | str = CONFIG, overrides: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        main = self.layer("config.yaml")
        # Snakemake hands over the whole of it: what differs was typed.
        typed = {key: value for key, value in (overrides or {}).items() if key not in main[1] or main[1][key] != value}
        layers = [main, ("--config", typed)]
        self.main = validate(MainConfig, *layers)
        said = next((layer for layer in reversed(layers) if "scale" in layer[1]), layers[0])
        require_name("scale", self.main.scale, said[0])
        self._scale_layers = self._extended(self.main.scale)
        self.scale = validate(ScaleConfig, *self._scale_layers)
        self.name = self.main.scale
        self._require_nameable("task", "tasks", self.scale.tasks)
        self._require_nameable("variant", "variants", self.scale.variants)
        for model in self.scale.models:
            require_known("model", model, self.names("models"), self.scale_place("models"))

    def _require_nameable(self, kind: str, key: str, names: Iterable[str]) -> None:
        for name in names:
            require_name(kind, name, self.scale_place(key))

    def _extended(self, scale: str, above: tuple[str, ...] = ()) -> list[Layer]:
        """Return what a scale's file says, and before it what those say that it extends."""
        layer = self.layer(f"scales/{scale}.yaml")
        below = layer[1].get("extends")
        if below is None:
            return [layer]
        place = f"{layer[0]}: extends"
        require_known("scale", str(below), self.names("scales"), place)
        if below in (*above, scale):
            raise ConfigError(f"the scale {below!r} extends itself", place, "Name another scale")
        return [*self._extended(str(below), (*above, scale)), layer]

    @cache  # noqa: B019 - a plan lives as long as its process
    def layer(self, name: str) -> Layer:
        """Return what a file of the configuration says; it is read once."""
        place = self.place(name)
        return place, read_yaml(Path(place))

    def place(self, name: str) -> str:
        """Return the path of a file or folder of the configuration, as errors name it."""
        return str(find(self.folder / name))

    def scale_layers(self, *keys: str) -> list[Layer]:
        """Return what the scale's file says below ``keys``, and before it what those say that it extends."""
        return [under(layer, *keys) for layer in self._scale_layers]

    def scale_place(self, *keys: str) -> str:
        """Return how an error names a key of the scale: where it was typed."""
        return speaker(self.scale_layers(*keys))

    def benchmark_place(self, task: str, key: str) -> str:
        """Return how an error names a key of a task's benchmark."""
        return f"{self.task(task).benchmark_file[0]}: {key}"

    @cache  # noqa: B019 - a plan lives as long as its process
    def metrics(self, task: str, key: Literal["metrics", "trajectory"] = "metrics") -> tuple[Spec, ...]:
        """Return a benchmark's metrics with their parameters, or those of an epoch's end.

        Raises:
            ConfigError: there is no such metric or parameter; names the benchmark's file and the metric.
        """
        try:
            return tuple(read_specs(getattr(self.task(task).benchmark, key)))
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
            raise ConfigError(f"scale {self.name!r} has no task {self.main.task!r}", self._scale_layers[-1][0], known)
        return (self.main.task,)

    @cache  # noqa: B019 - a plan lives as long as its process
    def task(self, name: str) -> Task:
        """Return a task of this scale with everything it names, validated."""
        require_name("task", name, "--task")
        typed = (self.layer(f"tasks/{name}.yaml"), *self.scale_layers("tasks", name))
        config = validate(TaskConfig, *typed)
        with asked_in(f"{file_of(typed, ('benchmark',))}: benchmark"):
            bench_file = self.layer(f"benchmarks/{config.benchmark}.yaml")
        benchmark = validate(BenchmarkConfig, bench_file)
        shared = self.layer("figures.yaml")
        for figure, said in validate(FiguresConfig, shared).figures.items():
            module = said.get("module", figure)
            require_known("figure module", str(module), available(FIGURES), f"{shared[0]}: figures.{figure}")
        for kind, names in (("request", benchmark.requests), ("figure", benchmark.figures)):
            for one in names:
                require_name(kind, one, f"{bench_file[0]}: {kind}s")
        with asked_in(f"{file_of(typed, ('model',))}: model"):
            model_file = self.layer(f"models/{config.model}.yaml")
        model_config = validate(ModelConfig, model_file)
        data: type[DataBase] = choice_of(benchmarks.PACKAGE, "Data", benchmark.module, f"{bench_file[0]}: module")
        of_scale = self.scale_layers("models", config.model)
        model = validate(ModelSettings, (f"{model_file[0]}: model", model_config.model), *of_scale)
        return Task(
            name=name,
            config=config,
            benchmark=benchmark,
            benchmark_file=bench_file,
            figures={
                figure: validate(FigureConfig, *(under(layer, "figures", figure) for layer in (shared, bench_file)))
                for figure in benchmark.figures
            },
            shared_figures=shared,
            data=validate(data, *(under(layer, "data") for layer in typed)),
            model=model,
            sizes=sizes_of(model, model_file[0]),
            model_file=model_file,
            typed=typed,
        )

    @cache  # noqa: B019 - a plan lives as long as its process
    def figure(self, task: str, name: str) -> FigureBase:
        """Return a figure of a task with its options. Later ones win: config/figures.yaml, benchmark.

        Raises:
            ConfigError: the benchmark has no such figure, its module is none, or an option is wrong.
        """
        resolved, place = self.task(task), self.benchmark_place(task, "figures")
        require_known("figure", name, resolved.figures, place)
        module = resolved.figures[name].module or name
        kind: type[FigureBase] = choice_of(FIGURES, "Figure", module, f"{place}.{name}.module")
        layers = resolved.said_of_figure(name, "options")
        return validate(kind, (f"{place}.{name}.options", {"name": module}), *layers)

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Names of all methods that have a file."""
        return self.names("methods")

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the names of the files in a folder of the configuration."""
        return stems(self.folder / kind)

    @cache  # noqa: B019
    def method(self, name: str) -> MethodConfig:
        """Return a method's file, validated; a name without a file is an error with the nearest name."""
        require_known("method", name, self.methods, self.place("methods"))
        layer = self.layer(f"methods/{name}.yaml")
        require_name("method", name, layer[0])
        config = validate(MethodConfig, layer)
        for variant in config.variants:
            require_name("variant", variant, f"{layer[0]}: variants")
        return config

    def variants(self, method: str) -> list[str]:
        """Return the variants of a method: the default, its own and, of one that trains, the scale's."""
        config = self.method(method)
        return ["default", *config.variants, *(self.scale.variants if config.kind == "train" else ())]

    @cache  # noqa: B019
    def runs(self, task: str) -> tuple[Run, ...]:
        """Return the unlearning runs of a task, without doubles, in a fixed order; each after those it starts from."""
        resolved = self.task(task)
        where = resolved.place("runs") if resolved.config.runs else self.scale_place("runs")
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

    def streams(self, run: Run) -> dict[str, dict[str, list[str]]]:
        """Return the sets of an unlearning run's streams: forget, retain, and which further ones its method reads."""
        asked = {"forget", "retain", *self.method_settings(run).streams}
        named = self.requested(run.task, self._request_name(run))
        return {name: topics for name, topics in named.items() if name in asked}

    def _request_name(self, run: Run) -> str:
        return run.variant if self.request(run) else OWN

    def alternates(self, run: Run) -> dict[str, AlternatesBase]:
        """Return where alternates come from, by stream, for those streams whose losses read them."""
        return self._sources(run.task, self.method_settings(run))

    def _sources(self, task: str, settings: MethodSettings) -> dict[str, AlternatesBase]:
        sources = self.task(task).benchmark.training.sources
        return {stream: sources[name] for stream, name in settings.alternates.items()}

    def requested(self, task: str, request: str) -> dict[str, dict[str, list[str]]]:
        """Return the sets of a benchmark's streams, by stream and topic; a request changes what is to be forgotten.

        Raises:
            ConfigError: the benchmark has no such request.
        """
        benchmark = self.task(task).benchmark
        training, requests = benchmark.training, benchmark.requests
        if request not in (OWN, *requests):
            raise ConfigError(
                f"no request {request!r}", self.benchmark_place(task, "requests"), suggest(request, requests)
            )
        chosen = training.all_streams | ({"forget": requests[request].forget} if request != OWN else {})
        return {
            name: {topic: list(sets) for topic, sets in by_topic(stream).items()} for name, stream in chosen.items()
        }

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
        own = self.variants(method)[1:]
        for name in own:
            if name in requests:
                file = self.place(f"methods/{method}.yaml")
                raise ConfigError(f"the variant {name!r} is also a request of the benchmark", file, "Rename it")
        known = list(dict.fromkeys(["default", *own, *requests]))
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in known):
                remedy = f"{suggest(pattern, known)} ({self.place(f'methods/{method}.yaml')})"
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
        layers = self.said_of_training(task)
        settings = validate(UnlearnSettings, *layers)
        require_names(settings, {"stream": ["retain"], "alternates": []}, *layers)
        require_fit(settings, self.task(task).sizes, *layers)
        return settings

    def said_of_training(self, task: str) -> list[Layer]:
        """Return what is said of how target and retrained model are trained; later ones win."""
        return [FINE_TUNING, *self._common(task, "train")]

    def _common(self, task: str, key: Literal["train", "unlearn"]) -> list[Layer]:
        """Return what scale, model and task say of all trainings of a kind."""
        resolved = self.task(task)
        return [*self.scale_layers(key), under(resolved.model_file, key), *resolved.said(key)]

    @cache  # noqa: B019
    def method_settings(self, run: Run) -> MethodSettings:
        """Return the resolved settings of an unlearning run, of the method's kind.

        Later ones win: scale, model, task (what they say of training), method, the model's and the task's settings of
        the method, variant, seed.
        """
        layers, settings = self.said_of_method(run), self._read_method(run)
        if isinstance(settings, UnlearnSettings) and "forget" not in settings.model_fields_set:
            what = "key 'forget' is missing: nothing would be forgotten"
            raise ConfigError(what, file_of(layers, ("forget",)), "Name a loss; `forget: []` keeps only, on purpose")
        training = self.task(run.task).benchmark.training
        known = {"stream": list(training.all_streams), "alternates": list(training.sources)}
        require_names(settings, known, *layers)
        require_fit(settings, self.task(run.task).sizes, *layers)
        self._require_sources(run.task, settings, *layers)
        if isinstance(settings, UnlearnSettings):
            _require_made(settings, *layers)
            self._require_texts(run.task, settings, *layers)
        self.selecting(run)
        return settings.model_copy(update={"seed": run.seed})

    @cache  # noqa: B019
    def selecting(self, run: Run) -> tuple[Spec, ...]:
        """Return the metrics that choose a run's epoch; none where its last one is taken, or it is an edit.

        Raises:
            ConfigError: see ``blur.config.selecting``.
        """
        settings = self._read_method(run)
        if not isinstance(settings, UnlearnSettings):
            return ()
        place, _ = under((file_of(self.said_of_method(run), ("select",)), {}), "select")
        return selecting(self, run, settings.select, place)

    @cache  # noqa: B019
    def _read_method(self, run: Run) -> MethodSettings:
        """Return a run's settings as they are typed; whether what they name is there is not looked at."""
        settings: MethodSettings = validate(KINDS[self.method(run.method).kind], *self.said_of_method(run))
        return settings

    def _require_sources(self, task: str, settings: MethodSettings, *layers: Layer) -> None:
        """Refuse something that is derived from another run, where there can be no such run, or it is of no use."""
        require_names(settings, {"method": self.methods}, *layers)
        for asked in (one for one in settings.derived.values() if one.method):
            place = f"{file_of(layers, ('combine', 'matched'))}.combine.matched"
            require_known("variant", asked.variant, self.variants(asked.method), f"{place}.variant")
            source = self._read_method(Run(task, asked.method, asked.variant))
            if reason := self.derived_settings(task, asked.kind).unfit(source):
                raise ConfigError(f"{asked.method}/{asked.variant}: {reason}", place, "Name another run")

    def _require_texts(self, task: str, settings: UnlearnSettings, *layers: Layer) -> None:
        """Refuse something derived in the place of a stream's texts that makes no texts of that stream."""
        for stream, kind in settings.texts.items():
            if self.derived_settings(task, kind).replaces != stream:
                kinds = [
                    name for name in available(derived.PACKAGE) if self.derived_settings(task, name).replaces == stream
                ]
                place = f"{file_of(layers, ('texts', stream))}.texts.{stream}"
                told = f"Name one of {', '.join(kinds)}" if kinds else "Leave it out"
                raise ConfigError(f"{kind!r} makes no texts of the stream {stream!r}", place, told)

    def check_unused(self, task: str) -> None:
        """Check the settings of the methods, and of their variants, that no run of a task has.

        Raises:
            ConfigError: some key or value of them could be in no run.
        """
        used = {(run.method, run.variant) for run in self.runs(task)}
        for method in self.methods:
            for variant in self.variants(method):
                if (method, variant) not in used:
                    layers = self.said_of_method(Run(task, method, variant))
                    if settings := validate_unused(KINDS[self.method(method).kind], *layers):
                        self._require_sources(task, settings, *layers)

    @cache  # noqa: B019
    def derived_settings(self, task: str, kind: str) -> DerivedBase:
        """Return the settings of something that is derived for methods. Later ones win: its own, scale, model, task.

        Raises:
            ConfigError: there is no such kind, or its settings are wrong.
        """
        resolved = self.task(task)
        made: type[DerivedBase] = choice_of(derived.PACKAGE, "Derived", kind, "derived")
        layers = [
            (f"defaults of {derived.PACKAGE}.{kind}", made(name=kind).model_dump(mode="json")),
            *self.scale_layers("derived", kind),
            under(resolved.model_file, "derived", kind),
        ]
        return validate(made, *layers, *resolved.said("derived", kind))

    def derived(self, run: Run) -> dict[str, JobName]:
        """Return what a run's method asks to be made beforehand: the jobs, by kind."""
        settings = self.method_settings(run)
        of_alternates = (one.asks for one in self._sources(run.task, settings).values() if one.asks)
        asked = {**settings.derived, **{kind: Asked(kind) for kind in of_alternates}}
        return {kind: self._derived(run, one) for kind, one in asked.items()}

    def _derived(self, run: Run, asked: Asked) -> JobName:
        source = Run(run.task, asked.method, asked.variant, run.seed) if asked.method else self.start(run)
        if asked.role:
            source = getattr(self.task(run.task), asked.role)
        kind = self.derived_settings(run.task, asked.kind)
        request = self._request_name(run) if kind.streams else OWN
        others = {self.method_settings(run).alternates.get(name) for name in kind.streams if kind.of_alternates}
        return JobName(run.task, source, asked.kind, "@".join([request, *sorted(filter(None, others))]))

    def asked(self, job: JobName) -> dict[str, JobName]:
        """Return what something derived asks to be made before it: the jobs, by kind."""
        sources = self.requested_alternates(job.task, job.request).values()
        kinds = [*self.derived_settings(job.task, job.derived).asks, *(one.asks for one in sources if one.asks)]
        return {kind: JobName(job.task, job.run, kind, job.request.partition("@")[0]) for kind in kinds}

    def requested_alternates(self, task: str, request: str) -> dict[str, AlternatesBase]:
        """Return where the alternates come from that a name has after a request and ``@``, by stream.

        Raises:
            ConfigError: the benchmark has no such alternates.
        """
        name = request.partition("@")[2]
        sources = self.task(task).benchmark.training.sources
        if name:
            require_known("alternates", name, sources, self.benchmark_place(task, "training.alternates"))
        return {"forget": sources[name]} if name else {}

    def said_of_method(self, run: Run) -> list[Layer]:
        """Return what is said of a run's settings; later ones win, as ``method_settings`` tells."""
        task, method = self.task(run.task), self.method(run.method)
        file = self.place(f"methods/{run.method}.yaml")
        return [
            *(self._common(run.task, "unlearn") if method.kind == "train" else ()),
            (f"{file}: settings", method.settings),
            under(task.model_file, "methods", run.method),
            *task.said("methods", run.method),
            *self.scale_layers("variants", run.variant),
            (f"{file}: variants.{run.variant}", method.variants.get(run.variant, {})),
        ]

    @cache  # noqa: B019
    def measure_settings(self, task: str) -> MeasureSettings:
        """Return what is measured of each finished model."""
        return self._measured(task, "measure")

    @cache  # noqa: B019
    def epoch_settings(self, task: str) -> MeasureSettings:
        """Return what is measured at each epoch's end while unlearning."""
        return self._measured(task, "epochs")

    def _measured(self, task: str, key: Literal["measure", "epochs"]) -> MeasureSettings:
        layers = self.said_of_measuring(task, key)
        settings = validate(MeasureSettings, *layers)
        require_names(settings, {"set": self.task(task).data.set_names}, *layers)
        return settings

    def said_of_measuring(self, task: str, key: Literal["measure", "epochs"]) -> list[Layer]:
        """Return what is said of what is measured. Later ones win: benchmark, scale (of finished models), task."""
        resolved = self.task(task)
        own = (self.benchmark_place(task, key), getattr(resolved.benchmark, key))
        return [own, *(self.scale_layers(key) if key == "measure" else ()), *resolved.said(key)]


def _require_made(settings: UnlearnSettings, *layers: Layer) -> None:
    """Refuse a loss that reads something, such as reference sums, of a stream that none are made of."""
    for side in ("forget", "retain"):
        for term in getattr(settings, side):
            for need in term.loss.needs - LIVE if term.stream != "forget" else ():
                read = need.replace("_", " ")
                what = f"{term.loss.name} reads {read}, made of the stream 'forget', not {term.stream!r}"
                place, _ = under((file_of(layers, (side,)), {}), side)
                raise ConfigError(what, place, f"Name that stream, or a loss without {read}")
