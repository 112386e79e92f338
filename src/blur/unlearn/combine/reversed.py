"""BLUR with the hierarchy swapped ("forget upper" in the authors' code): retaining has priority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from blur.unlearn.combine.base import Projection, Statistics, Xi, describe, measure, total

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Projection):
    """u = g_f + xi g_r with xi = gamma - <g_f, g_r> / ||g_r||^2, so that <g_r, u> = gamma ||g_r||^2."""

    name: Literal["reversed"] = "reversed"

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        from blur.unlearn.gradients import add_scaled

        table, xi = measure(g_f, g_r), Xi(len(names))
        for group in self.groups(names):
            ff, fr, rr = total(table, group)
            factor = self.bounded(self.gamma - fr / rr) if rr else None  # so that <g_r, u> = gamma ||g_r||^2
            xi.set(group, factor, rr, fr, ff)
        u = add_scaled(g_f, g_r, xi.of_each, 1e-7 * self.gamma, into=g_r)  # g_f + xi g_r
        return u, describe(table, [1.0] * len(names), xi.of_each, xi.square, xi.mean, self.gamma)
