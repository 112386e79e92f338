"""From an attack's measurements to what came back: metrics of each point, over used and unseen entities apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from blur.attacks.point import UNKNOWN, WORST
from blur.measurements import Measurements
from blur.metrics import Outcome, compute_all, read_specs

Entities = Mapping[str, Mapping[str, str]]
ALL, USED, UNSEEN = "all", "used", "unseen"


def told_of_points(
    points: Mapping[str, Mapping[str, Any]],
    measured: Mapping[str, Measurements],
    specs: Sequence[Mapping[str, Any]],
    judges: Sequence[str],
    entities: Entities,
    references: Mapping[str, Measurements],
    undefined: frozenset[str] = frozenset(),
    empty: frozenset[str] = frozenset(),
) -> dict[str, dict[str, Any]]:
    """Return, for each point, what it is, its metrics, and the judges' mean over all, used and unseen items.

    Points that only count together (``worst_of``) become one, with the largest value of each item.

    Args:
        points: what each point is, as the attack told.
        measured: raw measurements of the points that were measured.
        specs: the metrics, in the benchmark's form.
        judges: names of metrics between 0 and 1, lower is better; their mean tells what came back.
        entities: whom each item is about, by set (or request) and id.
        references, undefined, empty: as for ``compute_all``.
    """
    found: dict[str, dict[str, Any]] = {}
    without = {spec.name for spec in read_specs(specs) if spec.metric.reads().sets & empty}
    judges = [judge for judge in judges if judge not in without]
    for name, members in _together(points).items():
        about = dict(points[members[0]])
        used = frozenset(about.pop("used"))
        if about.pop("measured"):
            all_metrics = [
                compute_all(specs, measured.get(one) or Measurements(), references, undefined, empty) for one in members
            ]
            worst = {judge: _worst([metrics[judge] for metrics in all_metrics]) for judge in judges}
            about["metrics"] = {key: metric.value for key, metric in {**all_metrics[0], **worst}.items()}
            about["judged"] = _judged(worst, used, entities)
            if about.get(UNKNOWN):
                about["judged"] |= {USED: None, UNSEEN: None}
        found[name] = about
    return found


def _together(points: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the points that count together, by name: each by itself, or all of an arm marked ``worst_of``."""
    groups: dict[str, list[str]] = {}
    for name, about in points.items():
        groups.setdefault(about["arm"] if WORST in about else name, []).append(name)
    return groups


def _worst(metrics: Sequence[Outcome]) -> Outcome:
    """Return a metric whose items are the largest of each item's values; undefined if one of them is."""
    if len(metrics) == 1 or any(metric.value is None for metric in metrics):
        return next((metric for metric in metrics if metric.value is None), metrics[0])
    items = {
        group: {item: max(metric.items[group][item] for metric in metrics) for item in values}
        for group, values in metrics[0].items.items()
    }
    values = [value for group in items.values() for value in group.values()]
    return Outcome(math.fsum(values) / len(values), metrics[0].direction, len(values), items)


def _judged(judges: Mapping[str, Outcome], used: frozenset[str], entities: Entities) -> dict[str, float | None]:
    """Return the mean over judges, each a mean over its items; None where a judge has no such item or no value."""
    shares = {
        ALL: [metric.value for metric in judges.values()],
        USED: [_mean(metric, entities, lambda who: who in used) for metric in judges.values()],
        UNSEEN: [_mean(metric, entities, lambda who: who not in used) for metric in judges.values()],
    }
    return {
        share: None if not values or None in values else fmean(value for value in values if value is not None)
        for share, values in shares.items()
    }


def _mean(metric: Outcome, entities: Entities, counts: Callable[[str], bool]) -> float | None:
    if metric.value is None:
        return None
    values = [
        value
        for group, found in metric.items.items()
        for item, value in found.items()
        if counts(entities.get(group, {}).get(item, item))
    ]
    return math.fsum(values) / len(values) if values else None
