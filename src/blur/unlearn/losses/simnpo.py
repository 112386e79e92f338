"""SimNPO (Fan et al., arXiv 2410.07163, eq. 4): NPO without a reference, on the mean NLL per token.

The authors' code counts labels before the shift, so that a labelled first token, which nothing predicts, enters the
mean; their MUSE code puts raw logits in place of the NLL. Here the mean is over predicted tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive, Real
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """-(2 / beta) log sigmoid(beta (nll_sum / tokens - delta)), mean over sequences."""

    name: Literal["simnpo"] = "simnpo"
    beta: Positive = Field(4.5, description="inverse temperature, 1/nats; 4.5 on TOFU forget10")
    delta: Real = Field(0.0, description="margin on the mean NLL, nats per token (gamma / beta in the paper)")
    unit: ClassVar[Unit] = "sequence"
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the loss of each sequence, float64[B]."""
        from torch.nn.functional import logsigmoid

        means = outputs.nll_sums / outputs.counts
        return logsigmoid(self.beta * (means - self.delta)) * (-2 / self.beta)
