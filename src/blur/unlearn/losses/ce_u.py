"""CE-U (Yang, arXiv 2503.01224): cross-entropy towards the model's own prediction without the true token.

open-unlearning's code leaves out the first tokens of an answer by a running count of labels (``skip``), and divides by
the number of the others; here the mean is over all scored tokens, so that a text with none left counts, as zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Whole
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """-sum_v q_v log p(v), q = softmax(z with z_y = -inf), which is held fixed; mean over scored tokens.

    The gradient is p_y on the true token's logit and -p_j p_y / (1 - p_y) on the others: bounded, and gone with p_y.
    """

    name: Literal["ce_u"] = "ce_u"
    skip: Whole = Field(1, description="scored tokens left out at each text's beginning; 1 in open-unlearning")
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (20, 22)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the cross-entropy of each sequence summed over its scored tokens but the first, float64[B]."""
        import torch
        from torch.nn.functional import cross_entropy

        logits = outputs.precise_logits
        others = logits.detach().clone()
        others[outputs.places, outputs.targets] = -torch.inf
        losses = cross_entropy(logits, others.softmax(-1), reduction="none")
        return outputs.sum_rows(losses * (outputs.ranks >= self.skip))
