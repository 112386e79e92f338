"""RMU's forget loss (Li et al., WMDP, arXiv 2403.03218): hidden states are drawn to one random direction per topic.

The authors' code counts padding and draws the directions from the global generator, after whatever else was drawn;
open-unlearning divides sums [B] by counts [B, 1], which makes a matrix. Here all tokens that are not padding count
once, and a direction is a function of the run's seed and the topic. The mean is over hidden units as well, so that the
pull falls as 1 / d.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.unlearn.losses.base import ActivationLoss, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.hidden import HiddenStates


class Loss(ActivationLoss):
    """(h_theta - c u_topic)^2, mean over hidden units and over positions that are not padding."""

    name: Literal["rmu"] = "rmu"
    coefficient: Positive = Field(20.0, description="c, length of the target; 20 in the authors' code, 6.5 on Zephyr")
    peak: ClassVar[tuple[float, float] | None] = (24.5, 22)

    def numerator(self, outputs: HiddenStates, reference: Reference) -> Tensor:
        """Return the sum over positions of the mean square over hidden units, float64[B]."""
        import torch

        states = outputs.precise_states
        directions = [control_vector(reference.seed, topic, states.shape[-1]) for topic in outputs.topics]
        targets = self.coefficient * torch.stack(directions).to(states)
        return outputs.sum_rows((states - targets[outputs.rows]).square().mean(-1))


@lru_cache(maxsize=64)
def control_vector(seed: int, topic: str, size: int) -> Tensor:
    """Return a topic's direction, float64[size]: uniform numbers from [0, 1) divided by their norm."""
    import torch

    from blur.core.hashing import derive_seed

    generator = torch.Generator().manual_seed(derive_seed("control", seed, topic))
    values = torch.rand(size, dtype=torch.float64, generator=generator)
    return values / values.norm()
