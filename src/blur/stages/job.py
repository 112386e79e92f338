"""One job of one stage: what it is, where it reads and writes, and how it closes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.config.task import Run
from blur.core import kept, launch
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file, sha256_json
from blur.core.locking import exclusive
from blur.core.paths import data_dir, phase_dir, work_dir
from blur.core.progress import Progress

if TYPE_CHECKING:
    from blur.config.plan import Plan
    from blur.config.task import Task


@dataclass(frozen=True)
class Job:
    """A stage's job: the plan it belongs to, the run it makes, the key it was planned with."""

    plan: Plan
    task_name: str
    run: Run | None
    stage: str
    key: dict[str, Any]
    threads: int
    figure: str | None = None
    request: str = ""
    attack: str = ""
    clock: manifests.Clock = field(default_factory=manifests.Clock)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in the job's key."""
        return self.key["settings"]

    @property
    def task(self) -> Task:
        """The job's task, resolved."""
        return self.plan.task(self.task_name)

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.plan.name

    @property
    def device(self) -> str:
        """Device the scale computes on."""
        return self.plan.scale.device

    @property
    def base(self) -> Run:
        """The task's base model."""
        return Run(self.task_name, "base")

    @property
    def data(self) -> Path:
        """Folder of the task's data."""
        return data_dir(self.scale, self.task_name)

    @cached_property
    def progress(self) -> Progress:
        """Where the job reports how far it is."""
        return Progress(
            " ".join(
                filter(None, (self.stage, self.run.path if self.run else self.figure or self.task_name, self.attack))
            )
        )

    def directory(self, phase: str, run: Run | None = None) -> Path:
        """Folder of a run, by default the job's own, in a phase."""
        chosen = run or self.run
        assert chosen is not None, f"stage {self.stage} belongs to no run"
        return phase_dir(phase, self.scale, chosen.path)

    @property
    def work(self) -> Path:
        """Folder for lock and resume state of the job."""
        run = self.run.path if self.run else self.task_name
        parts = (self.stage, self.request, run, self.attack, self.figure)
        return work_dir(self.scale, "/".join(filter(None, parts)))

    def drawing(self, name: str) -> Path:
        """Folder of the manifest of a figure or table; the files themselves lie together in ``figures``."""
        return phase_dir("drawn", self.scale, f"{self.task_name}/{name}")

    @property
    def figures(self) -> Path:
        """Folder of the task's figures and tables."""
        return phase_dir("figures", self.scale, self.task_name)

    @contextmanager
    def writing(self, inputs: dict[str, Path], *directories: Path) -> Iterator[bool]:
        """Be the one writer of ``directories``; wait for another process that does the same job.

        Of several launched processes, the first one is the writer, and the others come in with it.

        Args:
            inputs: folders whose manifests the job reads, by role.

        Yields:
            Whether all results are already there, or kept, whole, made from the same inputs with the same key.
        """
        if launch.rank() > 0:
            yield launch.shared(False)
            return
        with exclusive(self.work, lambda holder: self.progress.note(f"waiting for {holder}, which does the same job")):
            yield launch.shared(self._is_done(inputs, directories))

    def _is_done(self, inputs: dict[str, Path], directories: tuple[Path, ...]) -> bool:
        if not all(self._is_there(directory, inputs) for directory in directories):
            return False
        self.progress.note("already there")
        return True

    def _is_there(self, directory: Path, inputs: dict[str, Path]) -> bool:
        if self._is_own(directory, inputs):
            manifests.check_files(directory, manifests.read(directory))
            return True
        if not self._is_own(kept.KEPT / directory, inputs):
            return False
        try:
            kept.put_back(directory)
        except ArtifactError as error:
            self.progress.note(str(error))
            return False
        return True

    def _is_own(self, directory: Path, inputs: dict[str, Path]) -> bool:
        """Whether a result, in its place or kept, is of this job's key and inputs."""
        if not (directory / manifests.NAME).is_file():
            return False
        manifest = manifests.read(directory)
        return bool(manifest["key_hash"] == sha256_json(self.key) and manifest["inputs"] == hashes(inputs))

    def close(
        self,
        directory: Path,
        files: list[str],
        inputs: dict[str, Path],
        made: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> None:
        """Write the manifest, the last act of a job, and keep the result for as long as Snakemake waits for it.

        Args:
            files: names of the result's files.
            inputs: folders whose manifests the job read, by role.
            made: what may be another the next time, besides the cost.
            facts: what else the manifest should tell.
        """
        identity = {"task": self.task_name, "scale": self.scale, "threads": self.threads}
        if self.run:
            identity |= {"method": self.run.method, "variant": self.run.variant, "seed": self.run.seed}
        if self.attack:
            identity["attack"] = self.attack
        cost = self.clock.read()
        told = {"cost": cost, **(made or {})}
        manifests.write(directory, self.stage, self.key, files, told, inputs=hashes(inputs), identity=identity, **facts)
        if kept.is_awaited(directory):
            kept.keep(directory)
        self.progress.note(f"done in {cost['wall_seconds']:.1f} s -> {directory}")

    def close_drawing(self, name: str, paths: Iterable[Path], inputs: dict[str, Path]) -> None:
        """Write the manifest of a figure or table, whose files lie elsewhere."""
        directory = self.drawing(name)
        self.close(directory, [os.path.relpath(path, directory) for path in paths], inputs)


def hashes(inputs: dict[str, Path]) -> dict[str, str]:
    """Return the hash of each input's manifest, by role.

    Raises:
        ArtifactError: an input is no finished result; names it.
    """
    for folder in inputs.values():
        manifests.read(folder)
    return {role: sha256_file(folder / manifests.NAME) for role, folder in sorted(inputs.items())}
