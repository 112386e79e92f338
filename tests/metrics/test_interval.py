"""Intervals: closed forms, coverage, groups, determinism."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from blur.core.errors import DataError
from blur.metrics.interval import mean_interval, paired_bootstrap


def test_t_interval_equals_scipy() -> None:
    values = [0.3, 0.5, 0.4]
    mean, low, high = mean_interval(values)
    expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (mean, low, high) == pytest.approx((0.4, *expected), rel=1e-10)
    assert mean_interval(values, level=0.5)[1] > low  # type: ignore[operator]


def test_t_interval_edges() -> None:
    assert mean_interval([0.25]) == (0.25, None, None)
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)
    for wrong in ([], [math.nan, 1.0], [math.inf]):
        with pytest.raises(DataError, match="finite"):
            mean_interval(wrong)


def test_bootstrap_of_a_constant_difference_has_no_width() -> None:
    first = {str(i): float(i) for i in range(10)}
    second = {item: value - 0.5 for item, value in first.items()}
    assert paired_bootstrap(first, second) == pytest.approx((0.5, 0.5, 0.5))


def test_bootstrap_approaches_the_normal_interval() -> None:
    rng = np.random.default_rng(0)
    first = {str(i): float(value) for i, value in enumerate(rng.normal(1, 1, 400))}
    second = dict.fromkeys(first, 0.0)
    mean, low, high = paired_bootstrap(first, second)
    half = 1.96 * np.std(list(first.values())) / 20
    assert mean == pytest.approx(np.mean(list(first.values())))
    assert low == pytest.approx(mean - half, abs=0.1 * half)
    assert high == pytest.approx(mean + half, abs=0.1 * half)


def test_bootstrap_draws_groups_not_items() -> None:
    """Twenty equal items of each of five authors carry the information of five values, not of a hundred."""
    levels = [0.0, 0.1, 0.4, 0.5, 1.0]
    first = {f"{author}-{i}": level for author, level in enumerate(levels) for i in range(20)}
    groups = {item: item.split("-")[0] for item in first}
    second = dict.fromkeys(first, 0.0)
    _, low, high = paired_bootstrap(first, second, groups)
    _, naive_low, naive_high = paired_bootstrap(first, second)
    five = {str(author): level for author, level in enumerate(levels)}
    assert (low, high) == paired_bootstrap(five, dict.fromkeys(five, 0.0))[1:]
    assert high - low > 3 * (naive_high - naive_low)  # type: ignore[operator]


def test_bootstrap_weighs_groups_by_their_items() -> None:
    first = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    mean, low, high = paired_bootstrap(first, dict.fromkeys(first, 0.0), {"a": "x", "b": "y", "c": "y", "d": "y"})
    assert (mean, low, high) == (0.25, 0.0, 1.0)


def test_bootstrap_is_a_function_of_its_seed() -> None:
    first, second = {str(i): float(i % 7) for i in range(30)}, {str(i): float(i % 5) for i in range(30)}
    assert paired_bootstrap(first, second, seed=3) == paired_bootstrap(dict(reversed(first.items())), second, seed=3)
    assert paired_bootstrap(first, second, seed=3) != paired_bootstrap(first, second, seed=4)


def test_bootstrap_edges() -> None:
    assert paired_bootstrap({"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 0.0}, {"a": "x", "b": "x"}) == (1.5, None, None)
    for first, second, groups in (
        ({}, {}, None),
        ({"a": 1.0}, {"b": 1.0}, None),
        ({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": "x"}),
        ({"a": math.nan}, {"a": 1.0}, None),
    ):
        with pytest.raises(DataError, match="paired bootstrap"):
            paired_bootstrap(first, second, groups)
