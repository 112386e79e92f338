"""All there is to know of a stage, told once: rules, command line, stages and planner read it here.

A job's key, its settings and the fingerprint of its code as canonical JSON, is the only parameter that Snakemake
records: it compares several parameters as a set, so two swapped values would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from blur.config.drawn import describe, drawn, figure_runs, robustness_runs, table_options
from blur.config.load import require_known
from blur.config.plan import Plan
from blur.config.sources import local_files
from blur.config.task import JobName, Run, Task
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.fingerprint import fingerprint
from blur.core.hashing import canonical_json, sha256_json
from blur.core.paths import data_dir, phase_dir
from blur.metrics.specs import Given, Spec
from blur.unlearn.alternates.base import AlternatesBase

Key = dict[str, Any]
Settings = dict[str, Any]
WEIGHTS, LIKELIHOOD = "model.safetensors", "likelihood.parquet"
RUN = ("task", "method", "variant", "seed")


@dataclass(frozen=True)
class Result:
    """A folder that a job closes with a manifest, and the files that its rule names beside that."""

    directory: Path
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, directory: Path, *names: str) -> Result:
        """Return a result whose named files lie in its folder."""
        return cls(directory, tuple(directory / name for name in names))

    @property
    def paths(self) -> list[Path]:
        """The manifest, and the named files."""
        return [self.directory / manifests.NAME, *self.files]


class Stage:
    """A kind of job.

    Attributes:
        name: of the rule, of the command, and of the module of ``blur.stages`` that does it.
        help: what the command line says of it.
        options: what the command line asks, in order; with ``resources`` also the number of threads.
        model: name of the model that a job makes, where nobody is asked for it.
        resources: what its jobs ask for, a key of ``config/resources.yaml``; None for one that runs beside Snakemake.
        spreads: whether its jobs may have several GPUs.
        content: by input, the large file in that folder which the job reads.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ("task",)
    model: ClassVar[str | None] = None
    resources: ClassVar[str | None] = None
    spreads: ClassVar[bool] = False
    content: ClassVar[Mapping[str, str]] = {}

    def job(
        self,
        task: str,
        role: str | None = None,
        method: str | None = None,
        variant: str = "default",
        seed: int | str = 0,
        **further: str,
    ) -> JobName:
        """Return the job that options of the command line, or wildcards of the rule, name.

        Raises:
            ConfigError: there is no such role.
        """
        if role is not None:
            require_known("role", role, ("target", "retrained"), "--role")
        made = role or method or self.model
        return JobName(task, Run(task, made, variant, int(seed)) if made else None, **further)

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """Return the stage's jobs of a task, all that the scale asks for."""
        return [JobName(task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Return the settings that a job reads.

        Raises:
            ConfigError: there is no such job.
        """
        raise NotImplementedError

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Return the modules that the settings name: code of the job besides what the stage imports."""
        return []

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Return the folders whose manifests a job reads, by role."""
        return {}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """Return what a job writes; the last one is closed last."""
        raise NotImplementedError

    def asks(self, plan: Plan, job: JobName) -> str | None:
        """Return what a job asks for, a key of ``config/resources.yaml``."""
        return self.resources

    def is_sharded(self, plan: Plan, job: JobName) -> bool:
        """Whether several GPUs can share a job's model."""
        return False

    def parameter(self, plan: Plan, job: JobName) -> str:
        """Return a job's key as canonical JSON, the form in which Snakemake records it."""
        return canonical_json(self.key(plan, job))

    def key(self, plan: Plan, job: JobName) -> Key:
        """Return the key of a job: the settings it reads, and the fingerprint of the code it uses."""
        settings = self.settings(plan, job)
        return {"settings": settings, "code": fingerprint([f"blur.stages.{self.name}", *self.modules(plan, job)])}


def folder(phase: str, plan: Plan, run: Run | None) -> Path:
    """Return the folder of a run in a phase."""
    assert run is not None, f"{phase} belongs to a run"
    return phase_dir(phase, plan.name, run.path)


def _data(plan: Plan, task: str) -> dict[str, Path]:
    return {"data": data_dir(plan.name, task)}


def _encoding(task: Task) -> Settings:
    """How a task's records become training examples."""
    return {"max_length": task.model.max_length, "texts": task.config.texts}


def _alternates(sources: Mapping[str, AlternatesBase]) -> Settings:
    """Where alternates come from, by stream; nothing where none are read."""
    told = {stream: source.model_dump(mode="json") for stream, source in sources.items()}
    return {"alternates": told} if told else {}


class Data(Stage):
    """A task's sets."""

    name = "data"
    help = "Build a task's data: fetch or generate, split, check."

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Source, split, and the content of local files."""
        resolved = plan.task(job.task)
        # Its name is the benchmark's: the key has that module as code.
        told = resolved.data.model_dump(mode="json", exclude={"name"})
        return {"data": told, "files": local_files(resolved)}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The benchmark's."""
        return [type(plan.task(job.task).data).__module__]

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the sets."""
        return (Result(data_dir(plan.name, job.task)),)


class Base(Stage):
    """The model that target and retrained one are trained from."""

    name = "base"
    help = (
        "Fetch or build a task's base model.\n\n"
        "One that is built from its architecture gets a tokenizer trained on the task's text."
    )
    model = "base"
    resources = "evaluate"

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One, where something is trained."""
        config = plan.task(task).config
        trained = "train" in (config.target.kind, config.retrained.kind)
        return [JobName(task, Run(task, "base"))] if trained else []

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Architecture or hub name, tokenizer, template."""
        resolved = plan.task(job.task)
        return {
            "model": resolved.model.model_dump(mode="json"),
            # Not the forget sets: a tokenizer that has seen them gives the retrained model words it never met.
            "texts": list(resolved.benchmark.training.retrained),
        }

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """The data, whose text a tokenizer is trained on."""
        return _data(plan, job.task)

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The model's folder."""
        return (Result.of(folder("models", plan, job.run), WEIGHTS),)


class Train(Stage):
    """The target and the retrained model."""

    name = "train"
    help = "Fine-tune the target or the retrained model.\n\nThe retrained one never sees the forget set."
    options = ("task", "role", "seed")
    resources = "train"
    spreads = True
    content: ClassVar = {"base": WEIGHTS}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """The target, and the retrained model where there is one."""
        resolved = plan.task(task)
        return [JobName(task, run) for run in (resolved.target, resolved.retrained) if run]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The recipe and the sets, or where the model is fetched from."""
        resolved, run = plan.task(job.task), job.run
        assert run is not None
        source = getattr(resolved.config, run.method)
        settings: Settings = {"from": source.model_dump(mode="json"), **_encoding(resolved)}
        if source.kind == "hub":
            return {**settings, **resolved.model.model_dump(mode="json", include={"template", "dtype"})}
        recipe = plan.training_settings(job.task).model_copy(update={"seed": run.seed})
        settings["train"] = recipe.model_dump(mode="json")
        settings["sets"] = list(getattr(resolved.benchmark.training, run.method))
        return settings

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The recipe's."""
        return plan.training_settings(job.task).modules if self._is_trained(plan, job) else []

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data and base model; nothing for a model that is fetched."""
        if not self._is_trained(plan, job):
            return {}
        return {**_data(plan, job.task), "base": folder("models", plan, Run(job.task, "base"))}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The model's folder."""
        return (Result.of(folder("models", plan, job.run), WEIGHTS),)

    def is_sharded(self, plan: Plan, job: JobName) -> bool:
        """A model that is fetched takes one process and no GPU."""
        return self._is_trained(plan, job)

    @staticmethod
    def _is_trained(plan: Plan, job: JobName) -> bool:
        assert job.run is not None
        return bool(getattr(plan.task(job.task).config, job.run.method).kind == "train")


class Derive(Stage):
    """What a method reads that is made of a model beforehand (``blur.derived``)."""

    name = "derive"
    help = (
        "Make what a method reads of a model beforehand.\n\n"
        "Reference sums, a matched weight, a model tuned on the forget set: a file each in src/blur/derived. "
        "The method is the one whose model it is made of: mostly target."
    )
    options = ("derived", *RUN, "request")
    resources = "evaluate"
    spreads = True

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """All that the task's runs ask for."""
        return sorted({job for run in plan.runs(task) for job in plan.derived(run).values()})

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The kind's own settings, and the sets of the streams that it reads."""
        kind = plan.derived_settings(job.task, job.derived)
        streams = plan.requested(job.task, job.request.partition("@")[0])
        sets = {name: streams[name] for name in kind.streams}
        encoding = _encoding(plan.task(job.task)) if sets else {}
        told = _alternates(plan.requested_alternates(job.task, job.request))
        return {"derived": kind.model_dump(mode="json"), "streams": sets, **told, **encoding}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The kind's and its recipe's, and those of alternates."""
        sources = plan.requested_alternates(job.task, job.request).values()
        return [*plan.derived_settings(job.task, job.derived).modules, *(type(one).__module__ for one in sources)]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """The model, and the data where it reads any."""
        data = _data(plan, job.task) if plan.derived_settings(job.task, job.derived).streams else {}
        return {**data, "model": folder("models", plan, job.run)}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """A folder for each kind, request and model."""
        return (Result(derived_dir(plan, job)),)

    def asks(self, plan: Plan, job: JobName) -> str | None:
        """What the kind says."""
        return plan.derived_settings(job.task, job.derived).resources

    def is_sharded(self, plan: Plan, job: JobName) -> bool:
        """Where the kind trains."""
        return plan.derived_settings(job.task, job.derived).recipe is not None


def derived_dir(plan: Plan, job: JobName) -> Path:
    """Return the folder of something derived."""
    return folder(f"derived/{job.derived}/{job.request}", plan, job.run)


class Unlearn(Stage):
    """One method on one task."""

    name = "unlearn"
    help = "Unlearn the forget set with one method.\n\nAfter an interruption it carries on from the last epoch."
    options = RUN
    resources = "unlearn"
    spreads = True
    content: ClassVar = {"start": WEIGHTS}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """All runs."""
        return [JobName(task, run) for run in plan.runs(task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The method's settings, what is measured between epochs, and the streams."""
        assert job.run is not None
        epochs = plan.epoch_settings(job.task)
        return {
            "unlearn": plan.method_settings(job.run).model_dump(mode="json"),
            "epochs": epochs.model_dump(mode="json"),
            "tasks": epochs.task_files(),
            "streams": plan.streams(job.run),
            **_alternates(plan.alternates(job.run)),
            **_encoding(plan.task(job.task)),
        }

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the method's axes, of alternates, of what reads the derived inputs, and of what is measured."""
        assert job.run is not None
        derived = (plan.derived_settings(job.task, kind) for kind in plan.derived(job.run))
        others = [type(one).__module__ for one in (*plan.alternates(job.run).values(), *derived)]
        return [*plan.method_settings(job.run).modules, *others, *plan.epoch_settings(job.task).modules]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data, the model to start from, and what is derived for the method."""
        assert job.run is not None
        derived = {name: derived_dir(plan, one) for name, one in plan.derived(job.run).items()}
        return {**_data(plan, job.task), "start": folder("models", plan, plan.start(job.run)), **derived}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """What was measured between epochs, and the model: it is published, and tells nothing of the texts."""
        return Result(folder("epochs", plan, job.run)), Result.of(folder("models", plan, job.run), WEIGHTS)

    def is_sharded(self, plan: Plan, job: JobName) -> bool:
        """What the method says."""
        assert job.run is not None
        return plan.method_settings(job.run).sharded


class Evaluate(Stage):
    """A model's raw measurements."""

    name = "evaluate"
    help = "Measure a model: likelihoods, answers, gradient norms."
    options = RUN
    resources = "evaluate"
    content: ClassVar = {"model": WEIGHTS}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """Target, retrained model, and all runs."""
        return [JobName(task, run) for run in plan.evaluated(task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """What is measured."""
        measure = plan.measure_settings(job.task)
        tasks, length = measure.task_files(), plan.task(job.task).model.max_length
        return {"measure": measure.model_dump(mode="json"), "tasks": tasks, "max_length": length}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of what is measured, and that of what is around the model."""
        return [*plan.measure_settings(job.task).modules, *_around(plan, job)]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data and model."""
        return {**_data(plan, job.task), "model": folder("models", plan, job.run)}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the measurements."""
        return (Result.of(folder("evaluation", plan, job.run), LIKELIHOOD),)


def _around(plan: Plan, job: JobName) -> list[str]:
    """Return the module of what the loader puts around a run's model, or takes off it."""
    assert job.run is not None
    unlearned = job.run in plan.runs(job.task)
    return [type(plan.method_settings(job.run).wrapper).__module__] if unlearned else []


class Metrics(Stage):
    """Numbers with names, from measurements."""

    name = "metrics"
    help = "Compute metrics from a model's measurements."
    options = RUN
    content: ClassVar = {"evaluation": LIKELIHOOD}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One for each model that is evaluated."""
        return Evaluate().jobs(plan, task)

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Definitions, and the title that the results carry."""
        assert job.run is not None
        metrics, trajectory = plan.metrics(job.task), plan.metrics(job.task, "trajectory")
        return {"metrics": _given(metrics), "trajectory": _given(trajectory), "run": describe(plan, job.run)}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the metrics."""
        return _modules([*plan.metrics(job.task), *plan.metrics(job.task, "trajectory")])

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Measurements of the model and of the retrained one, and those taken while it was unlearned."""
        retrained = plan.task(job.task).retrained
        inputs = {"evaluation": folder("evaluation", plan, job.run)}
        if retrained and retrained != job.run:
            inputs["retrained"] = folder("evaluation", plan, retrained)
        if job.run in plan.runs(job.task):
            inputs |= {"model": folder("models", plan, job.run), "epochs": folder("epochs", plan, job.run)}
        return inputs

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the metrics."""
        return (Result.of(folder("metrics", plan, job.run), "metrics.json"),)


def _given(specs: Iterable[Spec]) -> list[Given]:
    return [spec.given for spec in specs]


def _modules(specs: Iterable[Spec]) -> list[str]:
    return sorted({type(spec.metric).__module__ for spec in specs})


class Attack(Stage):
    """One kind of attack on one model."""

    name = "attack"
    help = (
        "Attack a copy of a model, and measure what comes back.\n\n"
        "After an interruption it carries on from the last arm."
    )
    options = (*RUN, "attack")
    resources = "attack"
    content: ClassVar = {"model": WEIGHTS, "target": WEIGHTS}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """All pairs of model and attack."""
        return [JobName(task, run, attack=attack) for run, attack in plan.attacks.pairs(task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The arms, and what is measured."""
        chosen, measure = plan.attacks.settings(job.task, job.attack), plan.attacks.measure(job.task, job.attack)
        return {
            "attack": chosen.model_dump(mode="json"),
            "measure": measure.model_dump(mode="json"),
            "tasks": measure.task_files(),
            **_encoding(plan.task(job.task)),
        }

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the arms, and that of what is around the model."""
        measured = plan.attacks.measure(job.task, job.attack).modules
        return [*plan.attacks.settings(job.task, job.attack).modules, *measured, *_around(plan, job)]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data, the model, and the target where the attack reads it."""
        inputs = {**_data(plan, job.task), "model": folder("models", plan, job.run)}
        if plan.attacks.settings(job.task, job.attack).of_target:
            inputs["target"] = folder("models", plan, plan.task(job.task).target)
        return inputs

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """A folder for each attack."""
        return (Result.of(folder("attacks", plan, job.run) / job.attack, LIKELIHOOD),)


class AttackMetrics(Stage):
    """What came back, from an attack's measurements."""

    name = "attack_metrics"
    help = "Compute metrics from an attack's measurements."
    options = (*RUN, "attack")
    content: ClassVar = {"attack": LIKELIHOOD}

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One for each attack."""
        return Attack().jobs(plan, task)

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The metrics, and what tables and figures read."""
        specs, judges = plan.attacks.metrics(job.task, job.attack)
        on = plan.attacks.on(job.task, job.attack)
        told = {"title": plan.attacks.config(job.attack).title, "items": on.items, "chance": on.chance}
        arms = list(plan.attacks.settings(job.task, job.attack).arms)
        return {"metrics": _given(specs), "judged_by": judges, "attack": {**told, "arms": arms}}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the metrics, and the settings that tell whose records were measured."""
        measured = type(plan.attacks.measure(job.task, job.attack)).__module__
        return [measured, *_modules(plan.attacks.metrics(job.task, job.attack)[0])]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Measurements of the attacked model and of the retrained one; the data tell whom each item is about."""
        retrained = plan.task(job.task).retrained
        inputs = {"attack": folder("attacks", plan, job.run) / job.attack, **_data(plan, job.task)}
        return inputs | ({"retrained": folder("evaluation", plan, retrained)} if retrained else {})

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """A folder for each attack."""
        return (Result.of(folder("attack_metrics", plan, job.run) / job.attack, "attack.json"),)


class Drawing(Stage):
    """A figure or a table: their files lie together, each manifest in a folder of its own.

    Attributes:
        endings: of its files.
    """

    endings: ClassVar[tuple[str, ...]]

    def stem(self, job: JobName) -> str:
        """Return the name of the files, without their endings."""
        return self.name

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the manifest, and the files elsewhere."""
        stem, together = self.stem(job), phase_dir("figures", plan.name, job.task)
        files = (together / f"{stem}.{ending}" for ending in self.endings)
        return (Result(phase_dir("drawn", plan.name, f"{job.task}/{stem}"), tuple(files)),)


class Figures(Drawing):
    """One figure."""

    name = "figures"
    help = "Draw one figure from stored results."
    options = ("figure", "task")
    endings = ("pdf", "png", "csv")

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """All figures that can be drawn."""
        return [JobName(task, figure=figure) for figure in drawn(plan, task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The figure's options."""
        resolved, figure = plan.task(job.task), plan.figure(job.task, job.figure)
        attacks = resolved.figures[job.figure].attacks
        settings = {"title": resolved.config.title, "figure": figure.model_dump(mode="json")}
        return settings | ({"attacks": list(attacks)} if attacks else {})

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The one that draws it."""
        return [type(plan.figure(job.task, job.figure)).__module__]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Metrics, models' manifests and attacks of the runs that the figure's filters choose."""
        runs, pairs = figure_runs(plan, job.task, job.figure)
        unlearned = [run for run in runs if run in plan.runs(job.task)]
        return {
            **{f"metrics {run.path}": folder("metrics", plan, run) for run in runs},
            **{f"model {run.path}": folder("models", plan, run) for run in unlearned},
            **{f"{attack} {run.path}": folder("attack_metrics", plan, run) / attack for run, attack in pairs},
        }

    def stem(self, job: JobName) -> str:
        """The figure's name."""
        return job.figure


class Table(Drawing):
    """The results table."""

    name = "table"
    help = "Write a task's results table.\n\nAs Markdown, CSV and LaTeX, and a summary in JSON."
    endings = ("md", "csv", "tex")

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Its options, and what judges forgetting."""
        resolved = plan.task(job.task)
        forget = list(resolved.benchmark.judged_by.forget)
        return {"title": resolved.config.title, "options": table_options(resolved), "forget": forget}

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Metrics of every model, and the data, which tell what belongs together."""
        return {
            **_data(plan, job.task),
            **{run.path: folder("metrics", plan, run) for run in plan.evaluated(job.task)},
        }

    def stem(self, job: JobName) -> str:
        """Not ``table``: there are two."""
        return "results"

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The table, and the summary that ``dvc metrics diff`` compares."""
        (table,) = super().results(plan, job)
        summary = phase_dir("summary", plan.name, f"{job.task}.json")
        return (Result(table.directory, (*table.files, summary)),)


class Robustness(Drawing):
    """The table of what survives the attacks."""

    name = "robustness"
    help = "Write the table of what survives a task's attacks."
    endings = ("md", "csv")

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One, where something is attacked."""
        return [JobName(task)] if plan.attacks.pairs(task) else []

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """What judges forgetting and utility, and the sequence of requests that is followed."""
        resolved = plan.task(job.task)
        benchmark = resolved.benchmark
        judges = benchmark.judged_by.model_dump(mode="json", include={"forget", "utility"})
        sequence = {"sequence": benchmark.sequence.model_dump(mode="json")} if benchmark.sequence else {}
        return {"title": resolved.config.title, "judged_by": judges, **sequence}

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """What came back in every attack, and the metrics from before."""
        pairs = plan.attacks.pairs(job.task)
        return {
            **{run.path: folder("metrics", plan, run) for run in robustness_runs(plan, job.task)},
            **{f"{attack} {run.path}": folder("attack_metrics", plan, run) / attack for run, attack in pairs},
        }


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Data(),
        Base(),
        Train(),
        Derive(),
        Unlearn(),
        Evaluate(),
        Metrics(),
        Attack(),
        AttackMetrics(),
        Figures(),
        Table(),
        Robustness(),
    )
}


def unbuilt_sets(plan: Plan, task: str) -> dict[str, list[dict[str, Any]]]:
    """Read the local texts of a task whose data are not built yet from them as they are: no job is needed to do so.

    Returns:
        The task's sets; none where its texts are no files here, or are built already.

    Raises:
        DataError: they cannot be made into sets; names file, line and remedy.
    """
    resolved, sets = plan.task(task), dict[str, list[dict[str, Any]]]()
    if resolved.data.source.kind != "local":
        return sets
    with suppress(ArtifactError):
        found = manifests.read(data_dir(plan.name, task))
        if found["key_hash"] == sha256_json(STAGES["data"].key(plan, JobName(task))):
            return sets
    sets.update(resolved.data.build())
    return sets
