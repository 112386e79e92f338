"""Accuracy of multiple-choice questions."""

from __future__ import annotations

import math

import pytest

from blur.core.errors import ArtifactError, ConfigError
from blur.measurements import ChoiceRow, Measurements
from blur.metrics import Outcome, compute_all

LETTERS = ["A", "B", "C", "D"]


def asked(item: str, logprob: list[float], answer: int, options: list[str] = LETTERS, subject: str = "") -> ChoiceRow:
    return ChoiceRow("quiz", item, subject, "Q:", options, logprob, answer)


def accuracy(*rows: ChoiceRow, **params: str) -> Outcome:
    spec = {"name": "it", "metric": "accuracy", "request": "quiz", **params}
    return compute_all([spec], Measurements(choices=rows), {})["it"]


def test_the_likeliest_option_counts() -> None:
    metric = accuracy(asked("a", [-3.0, -1.0, -2.0, -4.0], 1), asked("b", [-3.0, -1.0, -2.0, -4.0], 2))
    assert metric.items == {"quiz": {"a": 1.0, "b": 0.0}}
    assert (metric.value, metric.n, metric.direction, metric.details) == (0.5, 2, "higher", {"chance": 0.25})


def test_of_equal_options_the_first_counts() -> None:
    alike = [-2.0] * 4
    assert [accuracy(asked("a", alike, answer)).value for answer in range(4)] == [1.0, 0.0, 0.0, 0.0]
    assert accuracy(asked("a", [-math.inf] * 4, 0)).value == 1.0
    assert accuracy(asked("a", [-3.0, -1.0, -1.0, -4.0], 1)).value == 1.0


def test_norm_divides_by_characters_or_bytes() -> None:
    row = asked("a", [-2.0, -4.2, -6.6], 1, ["ab", "cdefg", "éééééé"])  # per character -1, -0.84, -1.1; per byte -0.55
    assert [accuracy(row, norm=norm).value for norm in ("none", "characters", "bytes")] == [0.0, 1.0, 0.0]
    first = asked("a", [-2.0, -4.2, -6.6], 0, ["ab", "cdefg", "éééééé"])
    last = asked("a", [-2.0, -4.2, -6.6], 2, ["ab", "cdefg", "éééééé"])
    assert accuracy(first).value == accuracy(last, norm="bytes").value == 1.0


def test_a_subject_weighs_as_many_as_its_questions() -> None:
    rows = [asked(f"x{i}", [-1.0, -2.0], 0, ["A", "B"], "x") for i in range(3)]
    metric = accuracy(*rows, asked("y", [-1.0, -2.0], 1, ["A", "B"], "y"))
    assert metric.value == 0.75
    assert metric.details == {"chance": 0.5, "x": 1.0, "y": 0.0, "mean_of_subjects": 0.5}


def test_a_nan_makes_it_undefined() -> None:
    metric = accuracy(asked("a", [-1.0, math.nan, -2.0, -3.0], 0), asked("b", [-1.0, -2.0, -3.0, -4.0], 0))
    assert metric.value is None
    assert "1 of 2 items are NaN" in str(metric.reason)


@pytest.mark.parametrize("norm", ["characters", "bytes"])
def test_an_empty_option_has_nothing_per_character(norm: str) -> None:
    row = asked("a", [0.0, -1.0], 1, ["", "b"])
    assert accuracy(row, norm=norm).value is None
    assert accuracy(row).value == 0.0


def test_unknown_request_and_norm_are_named() -> None:
    with pytest.raises(ArtifactError, match="request 'other'; there is: quiz"):
        accuracy(asked("a", [-1.0] * 4, 0), request="other")
    with pytest.raises(ConfigError, match=r"norm: .*'characters' or 'bytes', got 'chars'"):
        accuracy(asked("a", [-1.0] * 4, 0), norm="chars")


def test_a_request_without_questions_is_not_defined() -> None:
    spec = {"name": "chem", "metric": "accuracy", "request": "wmdp_chem"}
    metric = compute_all([spec], Measurements(), {}, empty_sets=frozenset({"wmdp_chem"}))["chem"]
    assert metric.reason == "not defined: the task has no records of set 'wmdp_chem'"
