"""UNDIAL (Dong et al., arXiv 2402.10052): self-distillation towards the original model, each true token held down.

open-unlearning's code takes the mean over prompt and padding as well, where a label of -100 holds down an entry counted
from the vocabulary's end. Here the mean is over scored tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Need, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """-sum_v q_v log p_theta(v), q = softmax(z_ref - beta onehot(y)); mean over scored tokens.

    With p the original's probabilities, q_y = p_y e^-beta / (1 - p_y + p_y e^-beta).
    """

    name: Literal["undial"] = "undial"
    beta: NonNegative = Field(
        10.0, description="taken off the true token's logit; 10 in open-unlearning, swept 3 to 30"
    )
    unit: ClassVar[Unit] = "token"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_logits"})
    peak: ClassVar[tuple[float, float] | None] = (24, 26)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the cross-entropy of each sequence summed over its scored tokens, float64[B]."""
        from torch.nn.functional import cross_entropy

        held = reference.logits.clone()
        held[outputs.places, outputs.targets] -= self.beta
        return outputs.sum_rows(cross_entropy(outputs.precise_logits, held.softmax(-1), reduction="none"))
