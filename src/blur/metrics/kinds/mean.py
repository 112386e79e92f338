"""Plain mean of other metrics, each of which weighs the same, however many items it has.

SemEval-2025 task 4's final score is that of its three parts (arXiv 2504.02883; official script). Range, and what is
better, are those of the parts; their values are in ``details``. Not defined where one of the parts is not.
"""

from __future__ import annotations

from statistics import fmean
from typing import ClassVar

from blur.metrics.kinds.base import Composite, Direction, MetricContext, Outcome


class Metric(Composite):
    """Plain mean of other metrics."""

    direction: ClassVar[Direction] = "higher"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean of the parts; see the module."""
        parts = self.computed(context)
        value = None if parts.reason else fmean(parts.values.values())
        return Outcome(value, self.direction, parts.n, {}, parts.values, parts.reason)
