"""A penalty on the norm of the forget gradient (Fan et al., arXiv 2502.05374, GP), with its own gradient.

The authors' code sums the penalty as a number (``.item()``), so that it has no gradient, and fixes its factor at 0.01:
what it reports as GP is the loss without it. The gradient here is rho H g / ||g||, the product with the Hessian H as a
central difference, which needs no graph of a backward pass: attention's kernels have none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import NonNegative, Positive
from blur.unlearn.smooth.base import Side, SmoothBase

if TYPE_CHECKING:
    from torch import Tensor

    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Near


class Smooth(SmoothBase):
    """L + rho ||g||, whose gradient is g + rho (g(theta + h v) - g(theta - h v)) / (2 h) with v = g / ||g||."""

    name: Literal["penalty"] = "penalty"
    rho: NonNegative = Field(0.01, description="weight of the norm")
    step: Positive = Field(0.01, description="h, length of the difference, in units of the weights")

    def passes(self, side: Side) -> int:
        """The gradient, and two for the difference."""
        return 3 if side == "forget" and self.rho else 1

    def spare(self, side: Side) -> int:
        """The copy of the weights, g, and the gradient on one side of it."""
        return 3 if side == "forget" and self.rho else 0

    def gradient(self, side: Side, near: Near) -> tuple[Tensor, Gradients]:
        """Return the loss with its penalty, and the gradient of both."""
        from blur.unlearn import distributed
        from blur.unlearn.gradients import merge

        loss, g = near.here()
        norm = near.norm(g) if side == "forget" and self.rho else 0.0
        if not norm or not math.isfinite(norm):
            return loss, g
        _, ahead = near.there(g, self.step / norm)
        _, behind = near.there(g, -self.step / norm)
        factor = self.rho / (2 * self.step)
        difference = merge(lambda _, back, front: factor * (front - back), behind, ahead)
        penalty = self.rho * norm / distributed.world_size()  # a loss is what a process adds to the sum
        return loss + penalty, merge(lambda _, one, other: one + other, difference, g)
