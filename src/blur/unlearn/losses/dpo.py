"""Direct preference optimisation (Rafailov et al., arXiv 2305.18290, eq. 7) as unlearning: an alternate is preferred.

With refusals as alternates it is IdkDPO (Maini et al., TOFU, arXiv 2401.06121; Zhang et al., arXiv 2404.05868). The
scale 2 / beta is that of NPO (its authors' code and open-unlearning have it for both), not Rafailov's 1: NPO is this
loss without the alternate, and both begin at (2 / beta) log 2. Reference codes draw the refusal anew at every access,
so its likelihood under the original model has to be computed at every step; here both are fixed, and sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.models.encode import Unit
from blur.unlearn.losses.base import AlternatesLoss, Need, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(AlternatesLoss):
    """-(2 / beta) log sigmoid(beta (r(alternate) - r(answer))), r = log p_theta - log p_ref of a whole sequence.

    Mean over an answer's alternates, then over answers.
    """

    name: Literal["dpo"] = "dpo"
    beta: Positive = Field(0.1, description="inverse temperature, 1/nats; 0.1 in the NPO paper")
    unit: ClassVar[Unit] = "sequence"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_sums"})
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the loss of each answer, float64[B]."""
        from torch.nn.functional import logsigmoid

        gains = reference.sums - outputs.nll_sums
        answers, alternates = outputs.pairs
        margins = gains[alternates] - gains[answers]
        return outputs.mean_pairs(logsigmoid(self.beta * margins) * (-2 / self.beta))
