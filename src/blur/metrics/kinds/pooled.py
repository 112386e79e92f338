"""Mean over the items of several metrics together: accuracy on all splits, each of which has an accuracy of its own.

Every item weighs the same, whichever metric it belongs to. Range, and what is better, are those of the parts; their
values are in ``details``. Not defined where one of the parts is not.
"""

from __future__ import annotations

from blur.core.errors import DataError
from blur.metrics.kinds.base import Direction, Metric, MetricContext, Reads, mean_of

DIRECTION: Direction = "higher"


def reads() -> Reads:
    """Return nothing: it is made of other metrics."""
    return Reads()


def compute(context: MetricContext, of: list[str]) -> Metric:
    """Return the mean over the items of the metrics named in ``of``, which come before this one; see the module.

    Errors:
        DataError: two of them have items of the same set, which would count twice.
    """
    parts = {name: context.computed[name] for name in of}
    undefined = [f"{name}: {part.reason}" for name, part in parts.items() if part.value is None]
    values = {name: part.value for name, part in parts.items() if part.value is not None}
    if undefined:
        return Metric(None, DIRECTION, sum(part.n for part in parts.values()), {}, values, "; ".join(undefined))
    items: dict[str, dict[str, float | None]] = {}
    for name, part in parts.items():
        for group, scores in part.items.items():
            if group in items:
                raise DataError(f"items of {group!r} are in two of the metrics", f"metric {name}", "Name one of them")
            items[group] = dict(scores)
    return mean_of(items, DIRECTION, values)
