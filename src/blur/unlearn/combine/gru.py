"""GRU (Wang et al., arXiv 2503.09117): the forget gradient without what opposes a smoothed retain gradient.

In the authors' NPO branch the step counter stands still, so that the projection happens at every micro-batch and the
last one, divided by their number, is all that is left; a short last group falls out of step with its counter. Here both
gradients are complete before anything is projected. The correction of m for its start at zero would change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative, Share
from blur.unlearn.combine.base import Combination, Seen, Statistics, geometry, measure

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """m = a g_r + (1 - a) m; u = g_f, or where <g_f, m> < 0, g_f - <g_f, m> / ||m||^2 m; plus alpha g_r."""

    name: Literal["gru"] = "gru"
    smoothing: Share = Field(
        0.8, description="a, share of this step's retain gradient in m; .6, .8 and .99 in the code"
    )
    alpha: NonNegative = Field(0.0, description="weight of the retain gradient itself; the authors' `+ce`")
    spare: ClassVar[int] = 1

    @property
    def states(self) -> int:
        """m, beside what ``momentum`` keeps."""
        return super().states + 1

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return u, in place of g_r."""
        from blur.unlearn.gradients import merge, products
        from blur.unlearn.momentum import smoothed

        measure(g_f, g_r)
        rows = zip(seen.tensors, g_r, seen.shares, strict=True)
        m = type(g_r)(smoothed(kept, "smoothed", r, share, 1 - self.smoothing) for kept, r, share in rows)
        (_, fm), (_, mm) = products(g_f, m).sum(0).tolist()
        factor = -fm / mm if fm < 0 else 0.0
        made = type(g_r)(None if r is None else r.clone() for r in g_r)
        u = merge(lambda _, f, r: f + self.alpha * r, g_f, made)
        u = merge(lambda _, along, r: r + factor * along, m, u) if factor else u
        return [u], geometry(g_f, g_r, u)
