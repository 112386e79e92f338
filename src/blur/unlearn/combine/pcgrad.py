"""PCGrad (Yu et al., arXiv 2001.06782, Algorithm 1): what of a gradient opposes the other one is taken out of it.

As a rival of BLUR (SAGO's code) only the forget gradient is projected, so that retaining has priority. That code's
inner products are in the parameters' type, and 1e-10 is added to ||g_r||^2, whatever its size; here neither is so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import Positive
from blur.unlearn.combine.base import Grouped, Statistics, describe, measure, total, weigh

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Grouped):
    """u = g_f + alpha g_r; where the two conflict, g_f without its part along g_r, so that <g_r, u> = alpha ||g_r||^2.

    With ``projected: both``, g_r loses its part along g_f as well, and retaining has no priority.
    """

    name: Literal["pcgrad"] = "pcgrad"
    alpha: Positive = Field(1.0, description="weight of the retain gradient")
    projected: Literal["forget", "both"] = Field("forget", description="`forget`: SAGO's code; `both`: Yu et al.")

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        table = measure(g_f, g_r)
        of_f, of_r = [1.0] * len(names), [self.alpha] * len(names)
        for group in self.groups(names):
            ff, fr, rr = total(table, group)
            if fr < 0:
                for place in group:
                    of_r[place] -= fr / rr
                    of_f[place] -= self.alpha * fr / ff * (self.projected == "both")
        return weigh(g_f, g_r, of_f, of_r), describe(table, of_f, of_r)
