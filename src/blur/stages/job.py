"""One job of one stage: what it is, where it reads and writes, and how it closes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.config.task import JobName, Run
from blur.core import kept, launch
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file, sha256_json
from blur.core.locking import exclusive
from blur.core.paths import data_dir, work_dir
from blur.core.progress import Progress

if TYPE_CHECKING:
    from blur.config.plan import Plan
    from blur.config.stages import Result, Stage
    from blur.config.task import Task


@dataclass(frozen=True)
class Job:
    """A stage's job: the plan it belongs to, its name, the key it was planned with."""

    plan: Plan
    stage: Stage
    name: JobName
    key: dict[str, Any]
    threads: int = 1
    clock: manifests.Clock = field(default_factory=manifests.Clock)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in the job's key."""
        return self.key["settings"]

    @property
    def task(self) -> Task:
        """The job's task, resolved."""
        return self.plan.task(self.name.task)

    @property
    def run(self) -> Run:
        """The model that the job makes or looks at."""
        assert self.name.run is not None, f"a job of stage {self.stage.name} belongs to no run"
        return self.name.run

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.plan.name

    @property
    def device(self) -> str:
        """Device the scale computes on."""
        return self.plan.scale.device

    @cached_property
    def inputs(self) -> dict[str, Path]:
        """The folders whose manifests the job reads, by role."""
        return self.stage.inputs(self.plan, self.name)

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """What the job writes."""
        return self.stage.results(self.plan, self.name)

    @property
    def directory(self) -> Path:
        """The folder that the job closes last."""
        return self.results[-1].directory

    @property
    def data(self) -> Path:
        """Folder of the task's data."""
        return data_dir(self.scale, self.name.task)

    @cached_property
    def progress(self) -> Progress:
        """Where the job reports how far it is."""
        return Progress(f"{self.stage.name} {self.name.path}")

    @property
    def work(self) -> Path:
        """Folder for lock and resume state of the job."""
        return work_dir(self.scale, f"{self.stage.name}/{self.name.path}")

    def resume_folder(self) -> Path:
        """Return the folder of the job's resume state, named after its key and inputs; state of others is removed."""
        folder = self.work / sha256_json([self.key, hashes(self.inputs)])[:16]
        if self.work.is_dir() and launch.rank() == 0:
            for other in self.work.iterdir():
                if other.is_dir() and other != folder:
                    shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def forget_resume_state(self) -> None:
        """Remove the resume state, once the manifest is written."""
        for folder in self.work.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """Be the one writer of the results; wait for another process that does the same job.

        Of several launched processes, the first one is the writer, and the others come in with it.

        Yields:
            Whether all results are already there, or kept, whole, made from the same inputs with the same key.
        """
        if launch.rank() > 0:
            yield launch.shared(False)
            return
        with exclusive(self.work, lambda holder: self.progress.note(f"waiting for {holder}, which does the same job")):
            yield launch.shared(self._is_done())

    def _is_done(self) -> bool:
        if not all(self._is_there(result.directory) for result in self.results):
            return False
        self.progress.note("already there")
        return True

    def _is_there(self, directory: Path) -> bool:
        if self._is_own(directory):
            manifests.check_files(directory, manifests.read(directory))
            return True
        if not self._is_own(kept.KEPT / directory):
            return False
        try:
            kept.put_back(directory)
        except ArtifactError as error:
            self.progress.note(str(error))
            return False
        return True

    def _is_own(self, directory: Path) -> bool:
        """Whether a result, in its place or kept, is of this job's key and inputs."""
        if not (directory / manifests.NAME).is_file():
            return False
        manifest = manifests.read(directory)
        return bool(manifest["key_hash"] == sha256_json(self.key) and manifest["inputs"] == hashes(self.inputs))

    def close(
        self,
        files: Sequence[str | Path],
        made: Mapping[str, Any] | None = None,
        directory: Path | None = None,
        **facts: Any,
    ) -> None:
        """Write the manifest, the last act of a job, and keep the result for as long as Snakemake waits for it.

        Args:
            files: names of the result's files; whole paths of those that lie elsewhere.
            made: what may be another the next time, besides the cost.
            directory: of the result, where it is not the last one.
            facts: what else the manifest should tell.
        """
        folder = directory or self.directory
        identity = {"task": self.name.task, "scale": self.scale, "threads": self.threads}
        if self.name.run:
            identity |= {"method": self.run.method, "variant": self.run.variant, "seed": self.run.seed}
        if self.name.attack:
            identity["attack"] = self.name.attack
        cost = self.clock.read()
        told = {"cost": cost, **(made or {})}
        names = [os.path.relpath(name, folder) if isinstance(name, Path) else name for name in files]
        inputs = hashes(self.inputs)
        manifests.write(folder, self.stage.name, self.key, names, told, inputs=inputs, identity=identity, **facts)
        if kept.is_awaited(folder):
            kept.keep(folder)
        self.progress.note(f"done in {cost['wall_seconds']:.1f} s -> {folder}")


def hashes(inputs: Mapping[str, Path]) -> dict[str, str]:
    """Return the hash of each input's manifest, by role.

    Raises:
        ArtifactError: an input is no finished result; names it.
    """
    for folder in inputs.values():
        manifests.read(folder)
    return {role: sha256_file(folder / manifests.NAME) for role, folder in sorted(inputs.items())}
