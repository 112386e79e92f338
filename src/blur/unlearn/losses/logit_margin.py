"""PDU's forget loss (open-unlearning, d3d7cf9): logits are drawn to their mean, so that no word stands out.

That code takes the logits at a label's own position, without the shift: what predicts the first answer token stays, and
what follows the last one is flattened. Here positions are those that predict an answer token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """(max_v z - mean_v z)^2, mean over scored tokens."""

    name: Literal["logit_margin"] = "logit_margin"
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (16, 15)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the sum over scored tokens, float64[B]."""
        logits = outputs.precise_logits
        return outputs.sum_rows((logits.amax(-1) - logits.mean(-1)).square())
