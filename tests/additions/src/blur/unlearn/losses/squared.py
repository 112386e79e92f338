"""Ascent on the squared mean NLL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """Minus the scaled square of each sequence's mean NLL; it declares no peak, so that its memory is counted."""

    name: Literal["squared"] = "squared"
    scale: Positive = Field(0.5, description="factor")
    unit: ClassVar[Unit] = "sequence"

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the loss of each sequence, float64[B]."""
        return -self.scale * (outputs.nll_sums / outputs.counts).square()
