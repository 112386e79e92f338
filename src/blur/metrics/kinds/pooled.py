"""Mean over the items of several metrics together: accuracy on all splits, each of which has an accuracy of its own.

Every item weighs the same, whichever metric it belongs to. Range, and what is better, are those of the parts; their
values are in ``details``. Not defined where one of the parts is not.
"""

from __future__ import annotations

from typing import ClassVar

from blur.core.errors import DataError
from blur.metrics.kinds.base import Composite, Direction, MetricContext, Outcome, mean_of


class Metric(Composite):
    """Mean over the items of other metrics."""

    direction: ClassVar[Direction] = "higher"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean over the items of the parts; see the module.

        Raises:
            DataError: two of them have items of the same set, which would count twice.
        """
        parts = self.computed(context)
        if parts.reason:
            return Outcome(None, self.direction, parts.n, {}, parts.values, parts.reason)
        items: dict[str, dict[str, float | None]] = {}
        for name, part in parts.outcomes.items():
            for group, scores in part.items.items():
                if group in items:
                    what = f"items of {group!r} are in two of the metrics"
                    raise DataError(what, f"metric {name}", "Name one of them")
                items[group] = dict(scores)
        return mean_of(items, self.direction, parts.values)
