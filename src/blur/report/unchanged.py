"""Which methods forgot nothing: their forget metrics cannot be told from the target's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from blur.data.dataset import read_set
from blur.metrics.interval import paired_bootstrap
from blur.report.runs import Run, by_method

Items = Mapping[str, float]


def groups_of(data: Path) -> dict[str, str]:
    """Return the group (author, document) of each record of a task's data by its id, where it has one."""
    records = (record for path in sorted(data.glob("*.jsonl")) for record in read_set(data, path.stem))
    return {record["id"]: record["group"] for record in records if "group" in record}


def with_changes(runs: Sequence[Run], forget: Sequence[str], groups: Mapping[str, str]) -> list[Run]:
    """Return runs that say whether they are unchanged, the seeds of a method together.

    A method is unchanged where, for every metric of ``forget``, the 95% interval of the paired bootstrap over groups
    of its difference from the target contains 0. Metrics without values by item, or not defined, have no say.

    Args:
        runs: of one task.
        forget: metrics that tell what is left of the texts to be forgotten.
        groups: group by id of an item; an item without one is its own.
    """
    target = next((run for run in runs if run.method == "target"), None)
    if target is None:
        return list(runs)
    found = []
    for seeds in by_method(runs).values():
        pairs = [(_mean(run.items.get(name, {}) for run in seeds), target.items.get(name, {})) for name in forget]
        alike = [_are_alike(ours, theirs, groups) for ours, theirs in pairs if ours and ours.keys() == theirs.keys()]
        unchanged = bool(alike) and all(alike) and not seeds[0].is_reference
        found += [replace(run, unchanged=unchanged) for run in seeds]
    return found


def _are_alike(ours: Items, theirs: Items, groups: Mapping[str, str]) -> bool:
    """Whether zero is in the interval; of a single group, which has none, whether the difference is zero."""
    group = {item: groups.get(item.partition("/")[2], item) for item in ours}
    mean, low, high = paired_bootstrap(ours, theirs, group)
    return mean == 0 if low is None or high is None else low <= 0 <= high


def _mean(seeds: Iterable[Items]) -> dict[str, float]:
    """Mean over seeds of each item that all of them have."""
    known = list(seeds)
    shared = set(known[0]).intersection(*known[1:])
    return {item: fmean(items[item] for items in known) for item in shared}
