"""OFMU (arXiv 2509.22483): forget in an inner problem, keep in the outer one, which is held near the inner's rest.

Our reading: the paper was known second-hand, and no code. Its inner problem ascends Phi = L_F - beta cos(grad L_F,
grad L_r), L_F the NLL of what is to be forgotten; with L_f, a loss that falls as the model forgets, in -L_F's place
that is to descend phi = L_f - beta cos(grad L_f, grad L_r). Not known, and chosen here: the weights that the inner
steps reach are those of the outer step; they are of one length, as no rate serves both a model that has its texts by
heart, whose gradient is next to nothing, and the same one later; in H_phi the cosine is held, as its own would be a
third derivative; rho rises by the same amount at every step. Products with Hessians are central differences, as
attention's kernels have no second derivative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Count, NonNegative, Positive
from blur.unlearn.combine.base import Combination, Seen, Statistics, geometry, measure, total

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients
    from blur.unlearn.near import Near
    from blur.unlearn.smooth.base import Side


class Combine(Combination):
    """u = g_r + 2 rho_k H_phi grad phi, the gradient of L_r + rho_k ||grad phi||^2, after ``inner_steps`` along phi.

    grad phi = g_f - beta (H_f a + H_r b), with a and b what the cosine's slopes in g_f and g_r are.
    """

    name: Literal["ofmu"] = "ofmu"
    beta: NonNegative = Field(0.1, description="weight of the cosine; at 0 there is none")
    inner_steps: Count = Field(1, description="steps along phi before each update")
    inner_length: NonNegative = Field(description="length of each, in units of the weights")
    rho: NonNegative = Field(0.01, description="weight of ||grad phi||^2 in the first update")
    rise: NonNegative = Field(0.0, description="what rho grows by with each update, in units of the first")
    step: Positive = Field(0.01, description="length of the central differences, in units of the weights")
    held: ClassVar[int] = 4

    def passes(self, side: Side) -> float:
        """Each gradient of phi takes g_f and g_r, and two passes of each for its Hessian; H_phi two more."""
        slope = 2 * (self.beta > 0)
        inner = self.inner_steps * (slope + (side == "forget" or self.beta > 0))
        return inner + (slope + 2 * (side == "forget")) * (self.rho > 0)

    def before(self, near: Mapping[Side, Near]) -> None:
        """Take the inner steps."""
        for _ in range(self.inner_steps):
            _, g_f = near["forget"].here()
            g_r = near["retain"].here()[1] if self.beta else g_f
            slope = self.slope(g_f, g_r, near)
            near["forget"].go(slope, -self.inner_length / (near["forget"].norm(slope) or 1.0))

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return u."""
        from blur.unlearn.gradients import add_scaled

        measure(g_f, g_r)
        rho = self.rho * (1 + self.rise * (seen.step - 1))
        u = type(g_r)(g_r)
        if rho:
            penalty = seen.near["forget"].curvature(self.slope(g_f, g_r, seen.near), self.step)
            u = add_scaled(g_r, penalty, [2 * rho] * len(g_r), 1e-7 * rho, into=penalty)
        return [u], geometry(g_f, g_r, u)

    def slope(self, g_f: Gradients, g_r: Gradients, near: Mapping[Side, Near]) -> Gradients:
        """Return grad phi in tensors of its own, or g_f itself where beta is 0."""
        if not self.beta:
            return g_f
        table = measure(g_f, g_r)
        ff, fr, rr = total(table, range(len(table)))
        if not ff or not rr:
            return g_f
        f, r = math.sqrt(ff), math.sqrt(rr)
        cosine = fr / f / r
        # d cos / d g_f = (r / |r| - cos f / |f|) / |f|, and the other way round
        a = _mixed(g_f, g_r, -cosine / ff, 1 / f / r)
        found = near["forget"].curvature(a, self.step)
        b = _mixed(g_f, g_r, 1 / f / r, -cosine / rr)
        found = _mixed(near["retain"].curvature(b, self.step), found, 1.0, 1.0)
        return _mixed(g_f, found, 1.0, -self.beta)


def _mixed(first: Gradients, second: Gradients, of_first: float, of_second: float) -> Gradients:
    """Return of_first first + of_second second in tensors of its own."""
    from blur.unlearn.gradients import merge

    own: Gradients = type(second)(None if one is None else one.clone() for one in second)
    return merge(lambda _, one, other: of_first * one + of_second * other, first, own)
