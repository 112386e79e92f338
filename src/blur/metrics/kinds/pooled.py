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
        parts = {name: context.computed[name] for name in self.of}
        undefined = [f"{name}: {part.reason}" for name, part in parts.items() if part.value is None]
        values = {name: part.value for name, part in parts.items() if part.value is not None}
        if undefined:
            n = sum(part.n for part in parts.values())
            return Outcome(None, self.direction, n, {}, values, "; ".join(undefined))
        items: dict[str, dict[str, float | None]] = {}
        for name, part in parts.items():
            for group, scores in part.items.items():
                if group in items:
                    what = f"items of {group!r} are in two of the metrics"
                    raise DataError(what, f"metric {name}", "Name one of them")
                items[group] = dict(scores)
        return mean_of(items, self.direction, values)
