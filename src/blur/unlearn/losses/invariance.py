"""An invariance penalty (IRMv1; our reading of ILU, Wang et al. 2025): a loss that no rescaling of logits would lower.

With l(w) the mean next-token loss of a text under logits w z, the penalty is (dl/dw at w = 1)^2. What w multiplies in
ILU (logits, a layer, an adapter) is not known to us, and the released code has no such term. A text is an environment:
so the penalty adds up over micro-batches, as a square of the batch's mean would not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """(mean_t (sum_v p_v z_v - z_y))^2, mean over sequences: first derivatives alone."""

    name: Literal["invariance"] = "invariance"
    unit: ClassVar[Unit] = "sequence"
    peak: ClassVar[tuple[float, float] | None] = (20, 22)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the penalty of each sequence, float64[B]."""
        logits = outputs.precise_logits
        chosen = logits.gather(-1, outputs.targets[:, None]).squeeze(-1)
        slopes = (logits.softmax(-1) * logits).sum(-1) - chosen
        return (outputs.sum_rows(slopes) / outputs.counts).square()
