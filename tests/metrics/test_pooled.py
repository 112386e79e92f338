"""The mean over the items of several metrics."""

from __future__ import annotations

import math

import pytest

from blur.core.errors import ConfigError, DataError
from blur.measurements import ChoiceRow, Measurements
from blur.metrics import Outcome, compute_all

LETTERS = ["A", "B", "C", "D"]


def asked(request: str, right: int, wrong: int) -> list[ChoiceRow]:
    """Questions of a request, of which so many are answered right and wrong."""
    scores = [-1.0, -2.0, -3.0, -4.0]
    return [
        ChoiceRow(request, f"{request}-{n}", "", "Q:", LETTERS, scores, 0 if n < right else 3)
        for n in range(right + wrong)
    ]


def computed(rows: list[ChoiceRow], requests: list[str], of: list[str] | None = None) -> dict[str, Outcome]:
    parts = [{"name": f"of_{name}", "metric": "accuracy", "request": name} for name in requests]
    of = [f"of_{name}" for name in requests] if of is None else of
    pooled = {"name": "all", "metric": "pooled", "of": of, "direction": "lower"}
    return compute_all([*parts, pooled], Measurements(choices=rows), {})


def test_every_item_weighs_the_same() -> None:
    metric = computed(asked("x", 3, 1) + asked("y", 0, 2), ["x", "y"])["all"]
    assert (metric.value, metric.n, metric.direction) == (3 / 6, 6, "lower"), "not the mean of 3/4 and 0"
    assert metric.details == {"of_x": 0.75, "of_y": 0.0}
    assert {name: len(items) for name, items in metric.items.items()} == {"x": 4, "y": 2}
    assert metric.items["x"] == {"x-0": 1.0, "x-1": 1.0, "x-2": 1.0, "x-3": 0.0}


def test_of_one_metric_it_is_that_metric() -> None:
    metrics = computed(asked("x", 1, 2), ["x"])
    assert metrics["all"].value == metrics["of_x"].value == 1 / 3
    assert metrics["all"].items == metrics["of_x"].items


def test_undefined_where_a_part_is() -> None:
    broken = ChoiceRow("y", "y-0", "", "Q:", LETTERS, [math.nan, -1.0, -2.0, -3.0], 0)
    metric = computed([*asked("x", 1, 1), broken], ["x", "y"])["all"]
    assert metric.value is None
    assert "of_y: 1 of 1 items are NaN" in str(metric.reason)
    assert metric.details == {"of_x": 0.5}


def test_items_that_would_count_twice_are_refused() -> None:
    specs = [{"name": name, "metric": "accuracy", "request": "x"} for name in ("one", "other")]
    pooled = {"name": "all", "metric": "pooled", "of": ["one", "other"]}
    with pytest.raises(DataError, match=r"metric other: items of 'x' are in two of the metrics"):
        compute_all([*specs, pooled], Measurements(choices=asked("x", 1, 1)), {})


def test_parts_come_before_and_there_is_one() -> None:
    with pytest.raises(ConfigError, match="no metric 'of_z' before this one"):
        computed(asked("x", 1, 1), ["x"], of=["of_z"])
    with pytest.raises(ConfigError, match=r"of: .*at least 1 item"):
        computed(asked("x", 1, 1), ["x"], of=[])


def test_parts_that_are_undefined_alike_are_told_together() -> None:
    broken = [ChoiceRow(name, f"{name}-0", "", "Q:", LETTERS, [math.nan, -1.0, -2.0, -3.0], 0) for name in "xy"]
    metric = computed(broken, ["x", "y"])["all"]
    assert metric.reason == "of_x, of_y: 1 of 1 items are NaN (the model has collapsed)"
