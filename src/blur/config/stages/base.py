"""What a stage's record is: all there is to know of the stage, told once.

A job's key, its settings and the fingerprint of its code as canonical JSON, is the only parameter that Snakemake
records: it compares several parameters as a set, so two swapped values would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from blur.config.load import require_known
from blur.config.plan import Plan
from blur.config.task import JobName, Run, Task
from blur.core import manifest as manifests
from blur.core.fingerprint import fingerprint
from blur.core.hashing import canonical_json
from blur.core.paths import data_dir, phase_dir
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

    def runs_model(self, plan: Plan, job: JobName) -> bool:
        """Whether a job has a use for a GPU at all."""
        return self.resources is not None

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


def data_of(plan: Plan, task: str) -> dict[str, Path]:
    """Return the folder of a task's data, by its role."""
    return {"data": data_dir(plan.name, task)}


def encoding(task: Task) -> Settings:
    """Return how a task's records become training examples."""
    return {"max_length": task.model.max_length, "texts": task.config.texts}


def alternates(sources: Mapping[str, AlternatesBase]) -> Settings:
    """Return where alternates come from, by stream; nothing where none are read."""
    told = {stream: source.model_dump(mode="json") for stream, source in sources.items()}
    return {"alternates": told} if told else {}
