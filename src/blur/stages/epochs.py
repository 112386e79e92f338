"""What is measured at the end of each epoch of an unlearning run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.data.dataset import read_sets
from blur.measure.run import Suite
from blur.measurements import Measurements, join_epochs, read_epochs, write_epochs
from blur.stages.job import Job

if TYPE_CHECKING:
    from blur.models import LoadedModel


def suite_of(job: Job, loaded: LoadedModel) -> Suite:
    """Return what is measured of a task's models at epochs' ends, for ``loaded`` or another of its tokenizer."""
    settings = job.plan.epoch_settings(job.name.task)
    sets = {name: read_sets(job.data, [name]) for name in settings.read}
    return Suite(loaded.tokenizer, loaded.template, sets, settings, job.settings["max_length"])


class EpochMeasurements:
    """Measures a cheap subset at each epoch's end.

    Each epoch is a part of its own until the run is done, so that a run that is killed keeps all it has measured. An
    epoch that is cut short while it is written is trained, and measured, again: its checkpoint comes later.
    """

    def __init__(self, job: Job, loaded: LoadedModel, folder: Path) -> None:
        self._suite = suite_of(job, loaded)
        self._folder = folder

    def __call__(self, epoch: int, model: Any) -> None:
        """Measure ``model`` after ``epoch`` epochs."""
        write_epochs(self._part(epoch), {epoch: self._suite.measure(model)})

    @property
    def empty_sets(self) -> frozenset[str]:
        """Names of sets without a record, of which nothing is measured."""
        return self._suite.empty_sets

    def read(self, epoch: int) -> Measurements:
        """Return what was measured after ``epoch`` epochs, in this process or an earlier one."""
        return read_epochs(self._part(epoch))[epoch]

    def collect(self, directory: Path) -> list[str]:
        """Join all epochs in one folder; return the names of the files."""
        return join_epochs(sorted(self._folder.glob("epoch[0-9]*")), directory)

    def _part(self, epoch: int) -> Path:
        return self._folder / f"epoch{epoch:04d}"
