"""The weighted sum of the two losses (GradDiff and every method with a lambda; BLUR paper, `reg_f`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.unlearn.combine.base import Combination, Statistics, describe, measure

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """u = g_f + lam g_r; needs the gradients apart only where they are logged."""

    name: Literal["weighted"] = "weighted"
    lam: NonNegative = Field(1.0, description="lambda, the weight of the retain loss")
    separable: ClassVar[bool] = True

    def factors(self) -> tuple[float, float]:
        """Return 1 and lambda."""
        return 1.0, self.lam

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return g_f + lambda g_r, in place of g_r. xi is not defined."""
        from blur.unlearn.gradients import add_scaled

        table, lam = measure(g_f, g_r), self.lam
        square = math.fsum(ff + 2 * lam * fr + lam**2 * rr for ff, fr, rr in table)
        one, weight = [1.0] * len(names), [lam] * len(names)
        u = add_scaled(g_f, g_r, weight, 1e-7 * lam, into=g_r)
        return u, describe(table, one, weight, square)
