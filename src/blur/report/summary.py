"""Means over seeds with their 95% intervals, in the form every figure and table uses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blur.metrics.interval import mean_interval


@dataclass(frozen=True)
class Summary:
    """Mean over ``n`` seeds; ``low`` and ``high`` are None where there is no interval: fewer than two seeds, or
    values of a collapsed model whose squares are beyond all numbers.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def half(self) -> float | None:
        """Half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    def columns(self, name: str) -> dict[str, float | None]:
        """Return the mean and the interval as columns ``name``, ``name_low``, ``name_high`` of a row."""
        return {name: self.mean, f"{name}_low": self.low, f"{name}_high": self.high}


def summarise(values: Iterable[float | None]) -> Summary:
    """Return mean and 95% t interval over the values that are defined."""
    known = [value for value in values if value is not None]
    if not known:
        return Summary(None, None, None, 0)
    with np.errstate(over="ignore"):
        mean, low, high = mean_interval(known)
    spread = low is not None and high is not None and math.isfinite(high - low)
    return Summary(mean, low if spread else None, high if spread else None, len(known))
