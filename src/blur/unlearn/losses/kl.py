"""Forward KL to the original model on retain text, mean over scored tokens (KL minimisation in TOFU, KLR in MUSE).

MUSE's code feeds raw logits to a function of log-probabilities; TOFU's and open-unlearning's average over prompt and
padding too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Need, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """sum_v p_ref (log p_ref - log p_theta) in nats, mean over scored tokens."""

    name: Literal["kl"] = "kl"
    unit: ClassVar[Unit] = "token"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_logits"})
    peak: ClassVar[tuple[float, float] | None] = (28, 26)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the KL of each sequence summed over its scored tokens, float64[B]."""
        from torch.nn.functional import kl_div, log_softmax

        current, original = log_softmax(outputs.precise_logits, -1), log_softmax(reference.logits, -1)
        return outputs.sum_rows(kl_div(current, original, reduction="none", log_target=True).sum(-1))
