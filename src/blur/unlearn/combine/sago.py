"""SAGO (code of 2363ee7): entry by entry, the forget gradient where signs agree and the retain gradient where not.

Its ``<g_r, u>`` is never negative, and ``<g_f, u>`` may have any sign: it does not promise to forget. Where g_f is zero
and g_r is not (embeddings of words that no forget text has), the rule takes g_f: retaining does not move these entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative, Positive
from blur.unlearn.combine.base import Combination, Statistics, geometry, measure

if TYPE_CHECKING:
    from torch import Tensor

    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """u_i = gamma f_i where f_i r_i >= 0, else alpha r_i."""

    name: Literal["sago"] = "sago"
    gamma: Positive = Field(1.0, description="weight of the forget gradient")
    alpha: NonNegative = Field(1.0, description="weight of the retain gradient")
    agreed: Literal["forget", "both"] = Field(
        "forget", description="where signs agree: gamma f_i, or gamma f_i + alpha r_i (their `prefer retain`)"
    )
    spare: ClassVar[int] = 1

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        from blur.unlearn.gradients import merge

        def rule(_: int, f: Tensor, r: Tensor) -> Tensor:
            forget, retain = self.gamma * f, self.alpha * r
            agreed = forget + retain if self.agreed == "both" else forget
            return agreed.where(f.sign() * r.sign() >= 0, retain)

        measure(g_f, g_r)
        kept = [None if one is None else one.clone() for one in g_r]
        u = merge(rule, g_f, g_r)
        return u, geometry(g_f, kept, u)
