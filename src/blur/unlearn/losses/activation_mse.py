"""RMU's retain loss (Li et al., WMDP, arXiv 2403.03218): hidden states stay those of the original model.

The authors' code counts padding too; here all other tokens count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.unlearn.losses.base import ActivationLoss, Need, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.hidden import HiddenStates


class Loss(ActivationLoss):
    """(h_theta - h_ref)^2, mean over hidden units and over positions that are not padding."""

    name: Literal["activation_mse"] = "activation_mse"
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_hidden"})
    peak: ClassVar[tuple[float, float] | None] = (28, 26)

    def numerator(self, outputs: HiddenStates, reference: Reference) -> Tensor:
        """Return the sum over positions of the mean square over hidden units, float64[B]."""
        return outputs.sum_rows((outputs.precise_states - reference.hidden).square().mean(-1))
