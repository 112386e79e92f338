"""Random smoothing around the forget loss (Fan et al., arXiv 2502.05374, RS).

The authors' code calls the optimizer itself, past clipping and past other micro-batches. Here a draw is a function of
the run's seed, the step, its number and the parameter's name: the same for all micro-batches and processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import Count, NonNegative
from blur.unlearn.smooth.base import Side, SmoothBase

if TYPE_CHECKING:
    from torch import Tensor

    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Found, Near


class Smooth(SmoothBase):
    """The mean of the gradients at theta + sigma z for ``draws`` draws of z from N(0, I), and of the losses there."""

    name: Literal["random"] = "random"
    sigma: NonNegative = Field(1e-4, description="standard deviation of each weight")
    draws: Count = 3

    def passes(self, side: Side) -> int:
        """One for each draw."""
        return self.draws if side == "forget" and self.sigma else 1

    def spare(self, side: Side) -> int:
        """The copy of the weights, and the sum of the gradients so far."""
        return 1 + (self.draws > 1) if side == "forget" and self.sigma else 0

    def gradient(self, side: Side, near: Near) -> tuple[Tensor, Gradients]:
        """Return the mean loss and gradient."""
        from blur.unlearn.gradients import scale

        if side == "retain" or not self.sigma:
            return near.here()
        total = near.there(near.noise(0), self.sigma)
        for draw in range(1, self.draws):
            total = _added(near.there(near.noise(draw), self.sigma), total)
        return total[0] / self.draws, scale(total[1], 1 / self.draws)


def _added(found: Found, total: Found) -> Found:
    """Add a loss and gradient to others, in place; no name keeps them until the next ones are there."""
    from blur.unlearn.gradients import merge

    return found[0] + total[0], merge(lambda _, one, other: one + other, found[1], total[1])
