"""The weighted sum of the two losses (GradDiff and every method with a lambda; BLUR paper, `reg_f`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from blur.core.settings import MethodName, NonNegative, Strict
from blur.unlearn.asked import Asked
from blur.unlearn.combine.base import Combination, Statistics, describe, measure

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class MatchedRun(Strict):
    """Another run of the same task and seed."""

    method: MethodName
    variant: str = "default"


class Combine(Combination):
    """u = g_f + lam g_r; needs the gradients apart only where they are logged."""

    name: Literal["weighted"] = "weighted"
    lam: NonNegative = Field(1.0, description="lambda, the weight of the retain loss")
    matched: MatchedRun | None = Field(None, description="BLUR's run whose 1 / mean(xi) is lambda, instead of `lam`")
    separable: ClassVar[bool] = True

    @property
    def derived(self) -> tuple[Asked, ...]:
        """The matched weight."""
        return (Asked("matched_lambda", self.matched.method, self.matched.variant),) if self.matched else ()

    def given(self, derived: Mapping[str, Any]) -> Combine:
        """Return the sum with its weight known."""
        return self.model_copy(update={"lam": derived["matched_lambda"]}) if self.matched else self

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
