"""RMU's forget loss with a target as long as the model's own states (adaptive RMU, Dang et al., arXiv 2408.06223).

The authors' code measures the length on the first batch of each of two topics, padding included, so that it hangs on
the batch's size and order. Here it is measured on each text, under the original model, which RMU's retain loss reads in
any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.unlearn.losses.base import ActivationLoss, Need, Reference
from blur.unlearn.losses.rmu import control_vector

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.hidden import HiddenStates


class Loss(ActivationLoss):
    """(h_theta - c u_topic)^2 as in RMU, with c = scale times the mean over a text's tokens of ||h_ref||."""

    name: Literal["rmu_adaptive"] = "rmu_adaptive"
    scale: Positive = Field(5.0, description="length of the target over that of the original states; the authors' 5")
    needs: ClassVar[frozenset[Need]] = frozenset({"reference_hidden"})
    peak: ClassVar[tuple[float, float] | None] = (28.5, 26)

    def numerator(self, outputs: HiddenStates, reference: Reference) -> Tensor:
        """Return the sum over positions of the mean square over hidden units, float64[B]."""
        import torch

        states = outputs.precise_states
        lengths = outputs.sum_rows(reference.hidden.norm(dim=-1)) / outputs.counts * self.scale
        directions = [control_vector(reference.seed, topic, states.shape[-1]) for topic in outputs.topics]
        targets = torch.stack(directions).to(lengths) * lengths[:, None]
        return outputs.sum_rows((states - targets.to(states)[outputs.rows]).square().mean(-1))
