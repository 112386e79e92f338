"""WGA, weighted gradient ascent (Wang et al., arXiv 2502.19301): a token counts by its own probability.

Where the model knows a token no longer, ascent on it stops. open-unlearning loads a copy of the original model for it,
which nothing reads; here there is none.
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
    """-sum_t w_t ce[b, t], w_t = p_t^beta held fixed, over the number of scored tokens; beta 0 is GA.

    The gradient on a token's logits is -w_t (p - onehot(y)).
    """

    name: Literal["wga"] = "wga"
    beta: NonNegative = Field(1.0, description="power of the token's probability; 1 in open-unlearning")
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return minus the weighted NLL of each sequence in nats, float64[B]."""
        weights = (-self.beta * outputs.nlls.detach()).exp()
        return -outputs.sum_rows(weights * outputs.nlls)
