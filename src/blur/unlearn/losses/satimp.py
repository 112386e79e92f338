"""SatImp (Yang et al., arXiv 2505.11953): ascent weighed by how far a token is from being forgotten, and how certain.

open-unlearning loads a copy of the original model for it, which nothing reads; here there is none. Its documents and
its settings have the weights of the two losses the other way round; those of the settings are meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """-sum_t w_t ce[b, t], w_t = p_t^beta1 (1 - p_t)^beta2 held fixed, over the number of scored tokens."""

    name: Literal["satimp"] = "satimp"
    beta1: NonNegative = Field(5.0, description="power of the token's probability (saturation); 5 in open-unlearning")
    beta2: NonNegative = Field(1.0, description="power of what it lacks to 1 (importance); 1 in open-unlearning")
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return minus the weighted NLL of each sequence in nats, float64[B]."""
        nlls = outputs.nlls.detach()
        weights = (-self.beta1 * nlls).exp() * (-(-nlls).expm1()) ** self.beta2
        return -outputs.sum_rows(weights * outputs.nlls)
