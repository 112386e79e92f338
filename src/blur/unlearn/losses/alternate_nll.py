"""Next-token NLL of the alternates: with refusals, TOFU's "preference optimisation" (arXiv 2401.06121), or IdkNLL.

The question is learned again with another answer. The reference codes draw that answer anew at every access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.models.encode import Unit
from blur.unlearn.losses.base import AlternatesLoss, Reference, Texts

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(AlternatesLoss):
    """sum_t ce[b, t] of the alternates over their number of scored tokens."""

    name: Literal["alternate_nll"] = "alternate_nll"
    unit: ClassVar[Unit] = "token"
    texts: ClassVar[Texts] = "alternates"
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the summed negative log-likelihood of each alternate in nats, float64[B]."""
        return outputs.nll_sums
