"""BLUR (Reisizadeh et al., arXiv 2506.08164, `forbun`): forgetting has priority, retaining moves where it is free to.

Faults of the authors' code that this avoids: products in bfloat16, clipping before the update exists, a division by
||g_f||^2 = 0, gamma fixed in the constructor, gradients of the last micro-batch or of one process only. The WMDP code's
g_f + alpha (g_r - proj) is this update at gamma = 1 / alpha, times alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from blur.unlearn.combine.base import Projection, Statistics, Xi, describe, measure, total

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Projection):
    """u = g_r + xi g_f with xi = gamma - <g_f, g_r> / ||g_f||^2, so that <g_f, u> = gamma ||g_f||^2.

    That is gamma g_f plus what of g_r is orthogonal to g_f, whether the two agreed or not. Where g_f = 0, u = g_r.
    """

    name: Literal["bilevel"] = "bilevel"

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        from blur.unlearn.gradients import add_scaled

        table, xi = measure(g_f, g_r), Xi(len(names))
        for group in self.groups(names):  # all tensors jointly, unless `projection` says otherwise
            ff, fr, rr = total(table, group)
            factor = self.bounded(self.gamma - fr / ff) if ff else None  # so that <g_f, u> = gamma ||g_f||^2
            xi.set(group, factor, ff, fr, rr)
        u = add_scaled(g_r, g_f, xi.of_each, 1e-7 * self.gamma, into=g_r)  # g_r + xi g_f
        return u, describe(table, xi.of_each, [1.0] * len(names), xi.square, xi.mean, self.gamma)
