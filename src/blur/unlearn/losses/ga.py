"""Gradient ascent: the negated next-token NLL, mean over scored tokens (Jang et al., arXiv 2210.01504; TOFU)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """-sum_t ce[b, t] over the number of scored tokens; unbounded below."""

    name: Literal["ga"] = "ga"
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return minus the summed NLL of each sequence in nats, float64[B]."""
        return -outputs.nll_sums
