"""Attacks on the made-up results: plausible numbers, the same at each call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blur.report.runs import Run

ATTACKED = ("target", "retrained", "graddiff", "npo_gdr", "simnpo", "rmu", "blur_npo", "blur_rmu")
STEPS = (5, 10, 20, 40)
LEVELS = {"target": 0.95, "retrained": 0.05}


def attacked(run: Run) -> Run:
    """Return a run of the first seed of a default variant with attacks; any other as it is."""
    if run.method not in ATTACKED or run.variant != "default" or run.seed != 0:
        return run
    level = LEVELS.get(run.method, 0.1 + 0.04 * ATTACKED.index(run.method))
    return replace(run, attacks={"relearn": _relearn(level), "quantization": _quantization(level)})


def _relearn(level: float) -> dict[str, Any]:
    points = {
        f"{arm}/step{step}": {"arm": arm, "step": step, **_judged(min(1.0, level + speed * step / 40))}
        for arm, speed in (("forget_half", 0.6), ("retain", 0.1), ("unrelated", 0.05), ("forget_all", 0.9))
        for step in STEPS
    }
    return {**_told("relearn", points), "title": "Relearning"}


def _quantization(level: float) -> dict[str, Any]:
    points: dict[str, Any] = {
        arm: {"arm": arm, "collision_rate": rate, **_judged(min(1.0, level + 0.1 * (1 - rate)), utility=0.5)}
        for arm, rate in (("int8_channel", 0.3), ("int4_channel", 0.9))
    }
    points["bnb_nf4"] = {"arm": "bnb_nf4", "reason": "bitsandbytes is not installed"}
    return {**_told("quantization", points), "title": "Quantization"}


def _told(attack: str, points: dict[str, Any]) -> dict[str, Any]:
    arms = list(dict.fromkeys(point["arm"] for point in points.values()))
    return {"attack": attack, "items": "all", "chance": None, "arms": arms, "points": points}


def _judged(level: float, **metrics: float) -> dict[str, Any]:
    shares = {"all": level, "used": min(1.0, level + 0.02), "unseen": max(0.0, level - 0.02)}
    return {"judged": shares, "metrics": {"forget_probability": level, "model_utility": 0.5, **metrics}}
