"""The stages that make data and models, and what is derived from models."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from blur.config.plan import Plan
from blur.config.sources import local_files
from blur.config.stages.base import (
    RUN,
    WEIGHTS,
    Result,
    Settings,
    Stage,
    alternates,
    data_of,
    encoding,
    folder,
)
from blur.config.task import JobName, Run
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_json
from blur.core.paths import data_dir
from blur.measure.settings import HARNESS
from blur.metrics.specs import Spec, with_parts

EPOCHS = "blur.stages.epochs"  # found by its name: of what is derived, only kinds that measure depend on it
SELECTION = "blur.stages.selection"  # found by its name: a run that ends with its last epoch depends on no metric


class Data(Stage):
    """A task's sets."""

    name = "data"
    help = "Build a task's data: fetch or generate, split, check."

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Source, split, the content of local files, and the tasks of lm-eval whose questions are fetched."""
        resolved, library = plan.task(job.task), self._library(plan, job)
        # Its name is the benchmark's: the key has that module as code.
        told = resolved.data.model_dump(mode="json", exclude={"name"})
        return {"data": told, "files": local_files(resolved), **({"lm_eval": library} if library else {})}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The benchmark's, and what fetches lm-eval's questions."""
        return [type(plan.task(job.task).data).__module__, *([HARNESS] if self._library(plan, job) else [])]

    @staticmethod
    def _library(plan: Plan, job: JobName) -> list[str]:
        measured = plan.measure_settings(job.task), plan.epoch_settings(job.task)
        return sorted({task for settings in measured for task in settings.library})

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
        return data_of(plan, job.task)

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
        settings: Settings = {"from": source.model_dump(mode="json"), **encoding(resolved)}
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
        return {**data_of(plan, job.task), "base": folder("models", plan, Run(job.task, "base"))}

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
        """All that the task's runs ask for, and what that asks for in turn."""
        return sorted({one for run in plan.runs(task) for job in plan.derived(run).values() for one in _all(plan, job)})

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The kind's own settings, and the sets of the streams that it reads."""
        kind = plan.derived_settings(job.task, job.derived)
        streams = plan.requested(job.task, job.request.partition("@")[0])
        sets = {name: streams[name] for name in kind.streams}
        encoded = encoding(plan.task(job.task)) if sets or kind.measures else {}
        told = alternates(plan.requested_alternates(job.task, job.request))
        measured = _epochs(plan, job.task) if kind.measures else {}
        return {"derived": kind.model_dump(mode="json"), "streams": sets, **told, **measured, **encoded}

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The kind's and its recipe's, those of alternates, of what it asks for, and of what is measured."""
        sources = plan.requested_alternates(job.task, job.request).values()
        kind = plan.derived_settings(job.task, job.derived)
        measured = [EPOCHS, *plan.epoch_settings(job.task).modules] if kind.measures else []
        asked = (plan.derived_settings(job.task, name) for name in plan.asked(job))
        return [*kind.modules, *(type(one).__module__ for one in (*sources, *asked)), *measured]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """The model, and the data where it reads any."""
        kind = plan.derived_settings(job.task, job.derived)
        data = data_of(plan, job.task) if kind.streams or kind.measures else {}
        asked = {name: derived_dir(plan, one) for name, one in plan.asked(job).items()}
        return {**data, "model": folder("models", plan, job.run), **asked}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """A folder for each kind, request and model."""
        return (Result(derived_dir(plan, job)),)

    def asks(self, plan: Plan, job: JobName) -> str | None:
        """What the kind says."""
        return plan.derived_settings(job.task, job.derived).resources

    def runs_model(self, plan: Plan, job: JobName) -> bool:
        """What the kind says."""
        return plan.derived_settings(job.task, job.derived).reads_weights

    def is_sharded(self, plan: Plan, job: JobName) -> bool:
        """Where the kind trains."""
        return plan.derived_settings(job.task, job.derived).recipe is not None


def _all(plan: Plan, job: JobName) -> list[JobName]:
    """Return a job of something derived, and those before it."""
    return [job, *(one for asked in plan.asked(job).values() for one in _all(plan, asked))]


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
        """The method's settings, what is measured between epochs, what chooses among them, and the streams."""
        assert job.run is not None
        return {
            "unlearn": plan.method_settings(job.run).model_dump(mode="json"),
            **_epochs(plan, job.task),
            **_selecting(plan, job.run),
            "streams": plan.streams(job.run),
            **alternates(plan.alternates(job.run)),
            **encoding(plan.task(job.task)),
        }

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """Those of the method's axes, of alternates, of derived inputs, of what is measured, and of what chooses."""
        assert job.run is not None
        metrics = _computed(plan, job.run)
        choosing = [SELECTION, *(type(one.metric).__module__ for one in metrics)] if metrics else []
        derived = (plan.derived_settings(job.task, kind) for kind in plan.derived(job.run))
        others = [type(one).__module__ for one in (*plan.alternates(job.run).values(), *derived)]
        measured = plan.epoch_settings(job.task).modules
        return [*plan.method_settings(job.run).modules, *others, *measured, *choosing]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Data, the model to start from, and what is derived for the method."""
        assert job.run is not None
        derived = {name: derived_dir(plan, one) for name, one in plan.derived(job.run).items()}
        return {**data_of(plan, job.task), "start": folder("models", plan, plan.start(job.run)), **derived}

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """What was measured between epochs, and the model: it is published, and tells nothing of the texts."""
        return Result(folder("epochs", plan, job.run)), Result.of(folder("models", plan, job.run), WEIGHTS)

    def is_sharded(self, plan: Plan, job: JobName) -> bool:
        """What the method says."""
        assert job.run is not None
        return plan.method_settings(job.run).sharded


def _epochs(plan: Plan, task: str) -> Settings:
    """Return what is measured at epochs' ends."""
    epochs = plan.epoch_settings(task)
    return {"epochs": epochs.model_dump(mode="json"), "tasks": epochs.task_files()}


def _selecting(plan: Plan, run: Run) -> Settings:
    """Return the metrics that choose a run's epoch; nothing where the last one is taken."""
    by, metrics = [spec.name for spec in plan.selecting(run)], [spec.given for spec in _computed(plan, run)]
    return {"selecting": {"by": by, "metrics": metrics}} if by else {}


def _computed(plan: Plan, run: Run) -> list[Spec]:
    """Return the metrics that choose a run's epoch, and those that they are made of."""
    return with_parts((spec.name for spec in plan.selecting(run)), plan.metrics(run.task, "trajectory"))


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
        if found["key_hash"] == sha256_json(Data().key(plan, JobName(task))):
            return sets
    sets.update(resolved.data.build())
    return sets
