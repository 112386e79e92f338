"""The choice of an epoch by its measurements. A job whose method takes the last epoch does not read this module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blur.core.errors import ArtifactError
from blur.measurements import Measurements
from blur.metrics import compute_all
from blur.stages.epochs import EpochMeasurements
from blur.unlearn.select import reached

if TYPE_CHECKING:
    from blur.metrics.specs import Given


class Selection:
    """Says after which epoch a run may end, and what a manifest tells of it.

    Whatever is asked is read from the disk, where it is before the epoch's checkpoint: a run that was killed chooses as
    one that was not.

    Args:
        told: ``by``, names of the metrics that have to be reached, and ``metrics``, the specifications of these and of
            the metrics that they are made of.
        retrained: what was measured of the retrained model, as at an epoch's end.

    Raises:
        ArtifactError: a metric is not defined for the retrained model.
    """

    def __init__(self, told: Mapping[str, Any], retrained: Measurements, epochs: EpochMeasurements) -> None:
        self._by: list[str] = told["by"]
        self._specs: list[Given] = told["metrics"]
        self._epochs = epochs
        found = compute_all(self._specs, retrained, {}, empty_sets=epochs.empty_sets)
        self._directions = {name: found[name].direction for name in self._by}
        self._reference: dict[str, float] = {}
        for name in self._by:
            if (value := found[name].value) is None:
                what = f"{name} of the retrained model has no value to be reached: {found[name].reason}"
                raise ArtifactError(what, retrained.where, "Name other metrics in the method's `select.metrics`")
            self._reference[name] = value

    def is_enough(self, epoch: int) -> bool:
        """Return whether the model after ``epoch`` epochs has forgotten as much as the retrained one."""
        return reached(self._values(epoch), self._reference, self._directions)

    def told(self, epoch: int) -> dict[str, Any]:
        """Return what there is to tell of a run that ended after ``epoch`` epochs."""
        values, reference = self._values(epoch), self._reference
        metrics = {
            name: {"value": values[name], "retrained": wanted, "direction": self._directions[name]}
            for name, wanted in reference.items()
        }
        return {"epoch": epoch, "reached": reached(values, reference, self._directions), "metrics": metrics}

    def _values(self, epoch: int) -> dict[str, float | None]:
        found = compute_all(self._specs, self._epochs.read(epoch), {}, empty_sets=self._epochs.empty_sets)
        return {name: found[name].value for name in self._by}
