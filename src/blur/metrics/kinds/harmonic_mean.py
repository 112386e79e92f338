"""Harmonic mean of other metrics, ``k / sum(1 / x)``: model utility, of TOFU's nine.

Source: TOFU (arXiv 2401.06121), section 2.2: {probability, ROUGE-L recall, truth ratio} on {retain, real authors,
world facts}. Range [0, 1], higher is better; one zero makes it zero, as in ``scipy.stats.hmean``. ``details`` holds the
parts; those that ``complements`` names enter as 1 - x, and are called so there. Not defined where one of the parts is
not. Whether the end-of-sequence token counts is up to the parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from blur.core.errors import DataError
from blur.metrics.kinds.base import Composite, Direction, MetricContext, Outcome


class Metric(Composite):
    """Harmonic mean of other metrics."""

    direction: ClassVar[Direction] = "higher"
    complements: tuple[str, ...] = Field((), description="those of which 1 - x counts, as less of them is better")

    @model_validator(mode="after")
    def _complements_are_parts(self) -> Self:
        if others := set(self.complements) - set(self.of):
            raise ValueError(f"`complements` names {min(others)!r}, which is none of `of`")
        return self

    def compute(self, context: MetricContext) -> Outcome:
        """Return the harmonic mean of the parts; see the module."""
        parts = self.computed(context)
        values = {
            f"1 - {name}" if name in self.complements else name: 1 - value if name in self.complements else value
            for name, value in parts.values.items()
        }
        value = None if parts.reason else harmonic_mean(list(values.values()))
        return Outcome(value, self.direction, parts.n, {}, values, parts.reason)


def harmonic_mean(values: Sequence[float]) -> float:
    """Return the harmonic mean of non-negative values; 0 if one of them is 0. ``DataError`` if empty or negative."""
    if not values or min(values) < 0:
        raise DataError(f"a harmonic mean needs values of at least 0, not {list(values)}")
    return 0.0 if min(values) == 0 else len(values) / math.fsum(1.0 / value for value in values)
