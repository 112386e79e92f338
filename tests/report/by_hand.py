"""Runs whose attacks are told in one line, for numbers by hand."""

from __future__ import annotations

from typing import Any

from blur.report.runs import Run

Levels = dict[str, float | None]


def attack(levels: Levels, items: str = "all", chance: float | None = None, name: str = "relearn") -> dict[str, Any]:
    """Judged levels by point; what stands before the slash is the arm."""
    points = {
        point: {"arm": point.split("/")[0], "judged": {"all": level, "used": None, "unseen": level}}
        for point, level in levels.items()
    }
    arms = list(dict.fromkeys(point["arm"] for point in points.values()))
    told = {"attack": name, "title": name.capitalize(), "items": items, "chance": chance}
    return {**told, "arms": arms, "points": points}


def run(method: str, forget: float | None, utility: float | None, levels: Levels, seed: int = 0, **named: Any) -> Run:
    """A run with one attack, or none."""
    told = [attack(levels, **named)] if levels else []
    metrics = {"f": forget, "u": utility}
    return Run(
        method, method.upper(), method, "default", seed, {}, metrics, attacks={one["attack"]: one for one in told}
    )
