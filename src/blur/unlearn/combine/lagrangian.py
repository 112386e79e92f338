"""An augmented Lagrangian of the retain loss: our reading of BLADE (known from a port, 84f7504), in one level.

The port's inner steps on the retain loss are here those before an update's gradients are taken, on the update's own
batch; left out are further ones while the retain loss is above 2 eps, and its stop at a retain loss of 10. In related
code the squared excess is a number without a gradient; here its gradient is in u.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import Count, Fraction, NonNegative, Positive, Whole
from blur.unlearn.combine.base import Constrained, Seen, Statistics, describe, measure, weigh

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Near
    from blur.unlearn.smooth.base import Side


class Combine(Constrained):
    """u = g_f + (lambda + rho max(v, 0)) g_r with v = L_r - eps: the gradient of L_f + lambda v + rho / 2 max(v, 0)^2.

    Then lambda rises by rho v where v is positive, and falls by ``fall`` times that, no further than ``floor``, else.
    """

    name: Literal["lagrangian"] = "lagrangian"
    rho: NonNegative = 0.1
    start: NonNegative = 1.0
    fall: Fraction = 0.1
    floor: NonNegative = 0.1
    margin: Positive = 1.15
    warmup: Count = 3
    inner_steps: Whole = Field(0, description="plain steps on the retain loss before each update; 3 in the port")
    inner_lr: NonNegative = Field(2e-4, description="their rate")
    inner_norm: Positive = Field(1.0, description="length that their gradient is clipped to")

    def passes(self, side: Side) -> float:
        """Those of the inner steps."""
        return float(self.inner_steps) if side == "retain" else 0.0

    def before(self, near: Mapping[Side, Near]) -> None:
        """Take the inner steps."""
        for _ in range(self.inner_steps):
            _, g_r = near["retain"].here()
            near["retain"].go(g_r, -self.inner_lr * min(1.0, self.inner_norm / (near["retain"].norm(g_r) or 1.0)))

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return u, in place of g_r."""
        table, lam, v = measure(g_f, g_r), seen.numbers.get("lambda", self.start), self.excess(seen)
        weight = lam
        if v is not None:
            weight += self.rho * max(v, 0.0)
            seen.numbers["lambda"] = lam + self.rho * v if v > 0 else max(self.floor, lam + self.fall * self.rho * v)
        of_f, of_r = [1.0] * len(table), [weight] * len(table)
        return [weigh(g_f, g_r, of_f, of_r)], describe(table, of_f, of_r, multiplier=weight)
