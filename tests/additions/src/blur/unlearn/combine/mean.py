"""The mean of the two gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from blur.unlearn.combine.base import Combination, Statistics, describe, measure

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """u = (g_f + g_r) / 2."""

    name: Literal["mean"] = "mean"

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        from blur.unlearn.gradients import add_scaled, scale

        table, halves = measure(g_f, g_r), [0.5] * len(names)
        scale(g_r, 0.5)
        square = math.fsum((ff + 2 * fr + rr) / 4 for ff, fr, rr in table)
        return add_scaled(g_r, g_f, halves, 0.0, into=g_r), describe(table, halves, halves, square)
