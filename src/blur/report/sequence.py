"""Requests one after another, told like an attack: do later requests bring back what earlier ones removed?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from blur.report.recovery import is_forgotten, share
from blur.report.runs import DEFAULT, Run

NAME = "requests"
UNFORGOTTEN = "was not forgotten by its own request"


def with_sequence(
    runs: Sequence[Run], title: str, variants: Sequence[str], metrics: Sequence[str], floor: str | None = None
) -> list[Run]:
    """Return runs where those of the benchmark's own request have what is left of each request after later ones.

    Target and retrained model stay as they are; their levels stand beside each point. Runs of methods without later
    requests are returned unchanged. A request that was not forgotten when it was made cannot come back: its points have
    a reason instead of a level.

    Args:
        title: what tables call it.
        variants: the requests in their order.
        metrics: what is left of each request's texts, in the same order; 0-1, lower is better.
        floor: the one of ``metrics`` whose texts the retrained model never saw, where it knows the others': they are
            written alike, so that this level stands for all of them. By default it saw none.
    """
    by_name = {(run.method, run.variant, run.seed): run for run in runs}
    target, retrained = (next((run for run in runs if run.method == name), None) for name in ("target", "retrained"))
    places = [(earlier, later) for later in range(len(variants)) for earlier in range(min(later, len(metrics)))]

    def low(metric: str) -> float | None:
        return retrained.value(floor or metric) if retrained else None

    def never_forgotten(run: Run, earlier: int) -> bool:
        metric, own = metrics[earlier], by_name.get((run.method, variants[earlier], run.seed))
        left = share(own.value(metric), low(metric), target.value(metric)) if own and target else None
        return left is not None and not is_forgotten(left)

    def told(run: Run) -> Run:
        points = {}
        for earlier, later in places:
            metric, arm = metrics[earlier], variants[later]
            after = run if run.is_reference else by_name.get((run.method, arm, run.seed))
            if run.method == "retrained":
                points[f"{arm}/{metric}"] = _point(arm, low(metric))
            elif not run.is_reference and never_forgotten(run, earlier) and after:
                points[f"{arm}/{metric}"] = _point(arm, None, UNFORGOTTEN)
            elif after:
                points[f"{arm}/{metric}"] = _point(arm, after.value(metric))
        return replace(run, attacks={**run.attacks, NAME: _attack(title, points)}) if points else run

    return [told(run) if run.is_reference or run.variant == DEFAULT else run for run in runs]


def _point(arm: str, level: float | None, reason: str | None = None) -> dict[str, Any]:
    told = {"arm": arm, "judged": {"all": level, "used": None, "unseen": None}}
    return {**told, "reason": reason} if reason else told


def _attack(title: str, points: Mapping[str, Any]) -> dict[str, Any]:
    """Return the points in the form of attack.json: an arm per later request, a point per earlier one."""
    arms = list(dict.fromkeys(point["arm"] for point in points.values()))
    return {"attack": NAME, "title": title, "items": "all", "chance": None, "arms": arms, "points": points}
