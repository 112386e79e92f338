"""PDU (open-unlearning, d3d7cf9): forget as far as the retain loss stays below a level, by primal and dual steps.

That code's dual variable moves at every micro-batch and by one process's loss, and no checkpoint keeps it, so that a
resumed run begins at its start. Here it moves once a step, by the loss of the global batch, and checkpoints have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import Count, NonNegative, Positive
from blur.unlearn.combine.base import Constrained, Seen, Statistics, describe, measure, weigh

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Constrained):
    """u = g_f + lambda g_r, then lambda <- max(0, lambda + rate (L_r - eps))."""

    name: Literal["pdu"] = "pdu"
    start: NonNegative = Field(1.0, description="first lambda; 1 in the code, 50 to 100 by its notes")
    rate: Positive = Field(1.0, description="step of lambda; 1 in the code, 5 in its tuned script")
    margin: Positive = 1.15
    warmup: Count = 4

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return u, in place of g_r."""
        table, lam = measure(g_f, g_r), seen.numbers.get("lambda", self.start)
        of_f, of_r = [1.0] * len(table), [lam] * len(table)
        seen.numbers["lambda"] = max(0.0, lam + self.rate * (self.excess(seen) or 0.0))
        return [weigh(g_f, g_r, of_f, of_r)], describe(table, of_f, of_r, multiplier=lam)
