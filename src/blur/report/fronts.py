"""Two fronts of forgetting against utility, compared at matched utility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blur.report.summary import Summary, summarise

Point = tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """First front minus second in the forget metric, at one utility; over the seeds that both have."""

    utility: float
    difference: Summary


@dataclass(frozen=True)
class NotComparable:
    """The fronts have no utility in common; ``ranges`` are (lowest, highest) common to the seeds of each front."""

    ranges: tuple[tuple[float, float], tuple[float, float]]


def pareto(points: Sequence[Point]) -> list[Point]:
    """Return the (utility, forget) points that no other one beats: more utility or less of the forget metric.

    The result is sorted by utility, and its forget values increase strictly.
    """
    best: list[Point] = []
    for utility, forget in sorted(points, key=lambda point: (-point[0], point[1])):
        if not best or forget < best[-1][1]:
            best.append((utility, forget))
    return best[::-1]


def interpolate(front: Sequence[Point], utility: float) -> float:
    """Return the forget metric of a front at ``utility``, linear between its points.

    Raises:
        ValueError: ``utility`` lies outside the front; nothing is extrapolated.
    """
    xs, ys = [point[0] for point in front], [point[1] for point in front]
    if not xs or not xs[0] <= utility <= xs[-1]:
        raise ValueError(f"utility {utility} lies outside the front")
    return float(np.interp(utility, xs, ys))


def compare(
    first: Mapping[int, Sequence[Point]], second: Mapping[int, Sequence[Point]], levels: int = 5
) -> list[Comparison] | NotComparable:
    """Compare two fronts at ``levels`` utilities, evenly spread over the range that all fronts of all seeds cover.

    Differences are taken within a seed (both start from the same target model and see the same batches), then
    averaged over seeds with a 95% t interval.

    Args:
        first: by seed, the (utility, forget) points of the first method.
        second: the same of the second one.
    """
    seeds = sorted(first.keys() & second.keys())
    fronts = {seed: (pareto(first[seed]), pareto(second[seed])) for seed in seeds}
    ranges = _common([fronts[seed][0] for seed in seeds]), _common([fronts[seed][1] for seed in seeds])
    low, high = max(ranges[0][0], ranges[1][0]), min(ranges[0][1], ranges[1][1])
    if not low < high:
        return NotComparable(ranges)
    return [
        Comparison(u, summarise(interpolate(fronts[s][0], u) - interpolate(fronts[s][1], u) for s in seeds))
        for u in np.linspace(low, high, levels).tolist()
    ]


def _common(fronts: Sequence[Sequence[Point]]) -> tuple[float, float]:
    """Lowest and highest utility that every front covers."""
    ends = [(front[0][0], front[-1][0]) for front in fronts if front]
    if not ends:
        return float("nan"), float("nan")
    return max(low for low, _ in ends), min(high for _, high in ends)
