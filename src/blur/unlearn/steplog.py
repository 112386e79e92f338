"""The step records of a run: JSON lines that grow while it runs, and hold each step once whatever happened."""

from __future__ import annotations

import json
import os
from pathlib import Path

from blur.core.errors import ArtifactError
from blur.core.files import atomic_write_text
from blur.core.paths import STEPS
from blur.unlearn.step import Record


class StepLog:
    """Records in memory, and in ``directory/steps.jsonl`` if there is a directory."""

    def __init__(self, directory: Path | None, start: int) -> None:
        self.path = directory / STEPS if directory else None
        self.records: list[Record] = []
        if self.path is None:
            return
        lines = self.path.read_text(encoding="utf-8").splitlines()[:start] if start else []
        if len(lines) < start:
            raise ArtifactError(
                f"{len(lines)} step records, but the checkpoint is at step {start}",
                where=str(self.path),
                remedy=f"Type `rm -r {directory}` to start the run again",
            )
        self.records = [json.loads(line) for line in lines]
        atomic_write_text(self.path, "".join(f"{line}\n" for line in lines))

    def append(self, record: Record) -> None:
        """Add the record of one step."""
        self.records.append(record)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(record, allow_nan=False) + "\n")

    def flush(self) -> None:
        """Bring the file to the disk; a checkpoint is written only after that."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as handle:
                os.fsync(handle.fileno())
