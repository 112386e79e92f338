"""What is measured of unlearned models at their epochs' ends, of another model: the same items, by the same code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from blur.derived.base import DerivedBase, Source

if TYPE_CHECKING:
    from blur.measurements import Measurements


class Derived(DerivedBase):
    """Raw measurements: a metric of them can be edited without a model being run again."""

    name: Literal["epoch_measurements"] = "epoch_measurements"
    measures: ClassVar = True

    def make(self, source: Source, folder: Path) -> list[str]:
        """Measure the model."""
        loaded = source.load()
        return source.suite(loaded).measure(loaded.model).write(folder)

    def read(self, folder: Path) -> Measurements:
        """Return the measurements."""
        from blur.measurements import Measurements

        return Measurements.read(folder)
