"""Forgetting and keeping by turns: so many steps along the forget gradient, then so many along the retain gradient.

One of each is the alternating form; more forget steps than a run has, then nothing but retain steps, the sequential one
(ascent first, repair afterwards), both of SemEval-2025 task 4's global weight modifications (arXiv 2503.04795, whose
algorithm is not published: our reading). Both gradients are made at every step, as the log holds them against the step;
the optimizer's moments run on over a change of turns, unless ``momentum: none``. Where a stream has several topics,
which take turns as well, a step counts as one round of them: else every second step would forget one of two topics, and
never the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import Count, NonNegative
from blur.unlearn.combine.base import Combination, Seen, Statistics, describe, measure, weigh

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """u = g_f on the first ``forget_steps`` of each cycle, lam g_r on the ``retain_steps`` after them."""

    name: Literal["turns"] = "turns"
    forget_steps: Count = 1
    retain_steps: Count = 1
    lam: NonNegative = Field(1.0, description="lambda, the weight of the retain gradient on its turns")

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return the gradient whose turn it is, in place of g_r."""
        table = measure(g_f, g_r)
        is_forgetting = (seen.step - 1) // seen.topics % (self.forget_steps + self.retain_steps) < self.forget_steps
        of_f, of_r = [float(is_forgetting)] * len(table), [self.lam * (not is_forgetting)] * len(table)
        return [weigh(g_f, g_r, of_f, of_r)], describe(table, of_f, of_r)
