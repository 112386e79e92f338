"""SAUL's gate (arXiv 2608.16249, Algorithm 1, from the paper's text alone): retain, and forget only while needed.

Its perturbed gradients are ``smooth: {name: sam, rho: ..., retain_rho: ...}``. AdamW is blind to a gradient's scale, so
that under it lambda opens and shuts the forget step more than it weighs it; the log's ``multiplier`` shows how often.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative, Positive, Real
from blur.unlearn.combine.base import Combination, Seen, Statistics, apart

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """min L_r with L_f <= level: lambda <- max(0, lambda + mu (L_f - level)); a step along lambda g_f, one along g_r.

    Both gradients are of the same weights, and each step has moments of its own. There is no forget step at lambda = 0.
    """

    name: Literal["gate"] = "gate"
    level: Real = Field(
        description="of the forget loss, as it is minimised: -10 with `ga` is an NLL of 10 nats a token"
    )
    mu: Positive = Field(1e-3, description="step of lambda")
    start: NonNegative = Field(0.0, description="first lambda")
    spare: ClassVar[int] = 1

    @property
    def rates(self) -> tuple[float, ...]:
        """The forget step's, the retain step's."""
        return 1.0, 1.0

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return lambda g_f in tensors of its own, nothing where the gate is shut, and g_r."""
        lam = max(0.0, seen.numbers.get("lambda", self.start) + self.mu * (seen.forget_loss - self.level))
        moves, statistics = apart(g_f, g_r, lam)
        seen.numbers["lambda"] = lam
        return moves, replace(statistics, multiplier=lam)
