"""What is measured at the end of each epoch of an unlearning run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.measure.run import measure
from blur.measurements import Measurements, write_epochs
from blur.stages.job import Job
from blur.stages.sets import read_sets

if TYPE_CHECKING:
    from blur.models import LoadedModel


class EpochMeasurements:
    """Measures a cheap subset at each epoch's end; each epoch is a folder of its own until the run is done."""

    def __init__(self, job: Job, loaded: LoadedModel, folder: Path) -> None:
        self._settings = job.plan.epoch_settings(job.task_name)
        self._sets = {name: read_sets(job.data, [name]) for name in self._settings.sets}
        self._encoding = (loaded.tokenizer, loaded.template)
        self._max_length, self._folder = job.settings["max_length"], folder

    def __call__(self, epoch: int, model: Any) -> None:
        """Measure ``model`` after ``epoch`` epochs."""
        measured = measure(model, *self._encoding, self._sets, self._settings, self._max_length)
        measured.write(self._folder / f"epoch{epoch:04d}")

    def collect(self, directory: Path) -> list[str]:
        """Write all epochs beside the model; return the names of the files."""
        folders = sorted(self._folder.glob("epoch[0-9]*"))
        epochs = {int(folder.name.removeprefix("epoch")): Measurements.read(folder) for folder in folders}
        return write_epochs(directory, epochs)
