"""Negative preference optimisation (Zhang et al., arXiv 2404.05868, eq. 3) on sequence log-likelihoods.

BLUR's TOFU code averages the NLL over the batch before the log-sigmoid, and its MUSE code uses raw logits (that form is
``npo_logits``). Here each sequence has its own sum, in float64, so that float32 rounding does not reach the sigmoid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Need, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """-(2 / beta) log sigmoid(beta (nll_sum_theta - nll_sum_ref)), mean over sequences; beta -> 0 gives GA on sums."""

    name: Literal["npo"] = "npo"
    beta: Positive = Field(0.1, description="inverse temperature, 1/nats; 0.1 in the NPO paper")
    unit: ClassVar[Unit] = "sequence"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_sums"})
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the loss of each sequence, float64[B]."""
        from torch.nn.functional import logsigmoid

        return logsigmoid(self.beta * (outputs.nll_sums - reference.sums)) * (-2 / self.beta)
