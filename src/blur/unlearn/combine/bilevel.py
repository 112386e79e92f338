"""BLUR (Reisizadeh et al., arXiv 2506.08164, `forbun`): forgetting has priority, retaining moves where it is free to.

Faults of the authors' code that this avoids: products in bfloat16, clipping before the update exists, a division by
||g_f||^2 = 0, gamma fixed in the constructor, gradients of the last micro-batch or of one process only. The WMDP code's
g_f + alpha (g_r - proj) is this update at gamma = 1 / alpha, times alpha.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from blur.unlearn.combine.base import Projection, Statistics, describe, measure, project

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Projection):
    """u = g_r + xi g_f with xi = gamma - <g_f, g_r> / ||g_f||^2, so that <g_f, u> = gamma ||g_f||^2.

    That is gamma g_f plus what of g_r is orthogonal to g_f, whether the two agreed or not.
    """

    name: Literal["bilevel"] = "bilevel"

    def combine(self, forget: Gradients, retain: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        table = measure(forget, retain)
        update, xi, square = project(self, forget, retain, table, names)
        return update, describe(table, xi, square)
