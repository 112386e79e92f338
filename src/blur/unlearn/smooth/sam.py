"""Sharpness-aware minimisation around a loss (Fan et al., arXiv 2502.05374, NPO+SAM; Foret et al., arXiv 2010.01412).

The authors' code writes the gradients of one micro-batch over those before it, and adds and subtracts the perturbation,
which leaves other weights. Here the direction is that of the whole gradient, and weights come back from a copy. Spread
over N weights the radius is rho / sqrt(N) each: bfloat16 weights round most of it away, float32 ones do not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.unlearn.smooth.base import Side, SmoothBase

if TYPE_CHECKING:
    from torch import Tensor

    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Near


class Smooth(SmoothBase):
    """The gradient at theta + rho g / ||g||, g the loss's gradient over all that moves: where the loss is worst nearby.

    The logged loss is that of the perturbed weights.
    """

    name: Literal["sam"] = "sam"
    rho: NonNegative = Field(0.01, description="radius around the forget loss; 0.01 in the authors' code")
    retain_rho: NonNegative = Field(0.0, description="radius around the retain loss; none in SAM, as rho in SAUL")

    def radius(self, side: Side) -> float:
        """Return the radius around a side's loss."""
        return self.rho if side == "forget" else self.retain_rho

    def passes(self, side: Side) -> int:
        """Two, where there is a radius."""
        return 1 + (self.radius(side) > 0)

    def spare(self, side: Side) -> int:
        """The copy of the weights."""
        return int(self.radius(side) > 0)

    def gradient(self, side: Side, near: Near) -> tuple[Tensor, Gradients]:
        """Return loss and gradient at the perturbed weights; at a gradient of zero, those of the present ones."""
        (loss, g), radius = near.here(), self.radius(side)
        length = near.norm(g) if radius else 0.0
        if not length or not math.isfinite(length):
            return loss, g
        used_up = (g.pop(0) for _ in range(len(g)))  # the second pass needs the room
        return near.there(used_up, radius / length)
