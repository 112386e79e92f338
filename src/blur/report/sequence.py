"""Requests one after another, told like an attack: do later requests bring back what earlier ones removed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from blur.report.runs import DEFAULT, Run

NAME = "requests"
Level = Mapping[tuple[str, str], float | None]


def with_sequence(
    runs: Sequence[Run], title: str, variants: Sequence[str], metrics: Sequence[str], floor: str | None = None
) -> list[Run]:
    """Return runs where those of the benchmark's own request have what is left of each request after later ones.

    Target and retrained model stay as they are; their levels stand beside each point. Runs of methods without later
    requests are returned unchanged.

    Args:
        title: what tables call it.
        variants: the requests in their order.
        metrics: what is left of each request's texts, in the same order; 0-1, lower is better.
        floor: the one of ``metrics`` whose texts the retrained model never saw, where it knows the others': they are
            written alike, so that this level stands for all of them. By default it saw none.
    """
    by_name = {(run.method, run.variant, run.seed): run for run in runs}
    points = [
        (later, metric) for later, metric in product(variants, metrics) if _is_earlier(later, metric, variants, metrics)
    ]

    def told(run: Run) -> Run:
        if run.method == "retrained":
            level: Level = {(later, metric): run.value(floor or metric) for later, metric in points}
        elif run.is_reference:
            level = {(later, metric): run.value(metric) for later, metric in points}
        elif run.variant == DEFAULT:
            after = {later: by_name.get((run.method, later, run.seed)) for later in variants[1:]}
            level = {(later, metric): found.value(metric) for later, metric in points if (found := after[later])}
        else:
            return run
        return replace(run, attacks={**run.attacks, NAME: _attack(title, level)}) if level else run

    return [told(run) for run in runs]


def _is_earlier(later: str, metric: str, variants: Sequence[str], metrics: Sequence[str]) -> bool:
    return metrics.index(metric) < variants.index(later)


def _attack(title: str, level: Level) -> dict[str, Any]:
    """Return the levels in the form of attack.json: an arm per later request, a point per earlier one."""
    points = {
        f"{later}/{metric}": {"arm": later, "judged": {"all": value, "used": None, "unseen": None}}
        for (later, metric), value in level.items()
    }
    arms = list(dict.fromkeys(later for later, _ in level))
    return {"attack": NAME, "title": title, "items": "all", "chance": None, "arms": arms, "points": points}
