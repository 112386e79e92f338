"""Harmonic mean of other metrics, ``k / sum(1 / x)``: model utility, of TOFU's nine.

Source: TOFU (arXiv 2401.06121), section 2.2: {probability, ROUGE-L recall, truth ratio} on {retain, real authors,
world facts}. Range [0, 1], higher is better; one zero makes it zero, as in ``scipy.stats.hmean``. ``details`` holds the
parts. Not defined where one of the parts is not. Whether the end-of-sequence token counts is up to the parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from blur.core.errors import DataError
from blur.metrics.kinds.base import Composite, Direction, MetricContext, Outcome


class Metric(Composite):
    """Harmonic mean of other metrics."""

    direction: ClassVar[Direction] = "higher"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the harmonic mean of the parts; see the module."""
        parts = {name: context.computed[name] for name in self.of}
        values = {name: part.value for name, part in parts.items() if part.value is not None}
        n = sum(part.n for part in parts.values())
        undefined = [f"{name}: {part.reason}" for name, part in parts.items() if part.value is None]
        if undefined:
            return Outcome(None, self.direction, n, {}, values, "; ".join(undefined))
        return Outcome(harmonic_mean(list(values.values())), self.direction, n, {}, values)


def harmonic_mean(values: Sequence[float]) -> float:
    """Return the harmonic mean of non-negative values; 0 if one of them is 0. ``DataError`` if empty or negative."""
    if not values or min(values) < 0:
        raise DataError(f"a harmonic mean needs values of at least 0, not {list(values)}")
    return 0.0 if min(values) == 0 else len(values) / math.fsum(1.0 / value for value in values)
