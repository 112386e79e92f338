"""NGDiff (Bu et al., arXiv 2410.22086): both gradients at length 1.

Of the paper's two parts the rate found by probing (AutoLR) is not here. A port of it normalises at every micro-batch,
and the mean of unit vectors is not the unit vector of the mean; here the whole group's gradients are normalised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from blur.unlearn.combine.base import Combination, Statistics, describe, measure, total, weigh

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """u = g_f / ||g_f|| + g_r / ||g_r||, so that neither loss rises along u to first order; 0 / 0 counts as 0."""

    name: Literal["ngdiff"] = "ngdiff"

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        table = measure(g_f, g_r)
        ff, _, rr = total(table, range(len(table)))
        of_f, of_r = ([1 / math.sqrt(square) if square else 0.0] * len(names) for square in (ff, rr))
        return weigh(g_f, g_r, of_f, of_r), describe(table, of_f, of_r)
