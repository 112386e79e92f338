"""MUSE's raw-logit NPO, the form behind BLUR's published MUSE settings (BLUR code, MUSE/baselines/iterative.py).

Not a likelihood ratio: no labels, no softmax, no shift. At theta = ref its gradient with respect to every logit is the
same constant, whatever the text. The reference code also counts padding, which is masked here.
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
    """-(2 / beta) log sigmoid(beta (z_ref - z_theta)), mean over vocabulary and over positions that are not padding."""

    name: Literal["npo_logits"] = "npo_logits"
    beta: Positive = Field(0.1, description="inverse temperature; 0.15 in BLUR's code, 0.05 and 0.4 in its Table 6")
    unit: ClassVar[Unit] = "position"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_logits"})
    peak: ClassVar[tuple[float, float] | None] = (24, 22)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the sum over positions of the vocabulary mean, float64[B]."""
        from torch.nn.functional import logsigmoid

        per_logit = logsigmoid(self.beta * (reference.logits - outputs.precise_logits)) * (-2 / self.beta)
        return outputs.sum_rows(per_logit.mean(-1))
