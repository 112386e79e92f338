"""Next-token accuracy, and the distance from approximate retraining, by hand."""

from __future__ import annotations

import math

import pytest

from blur.core.errors import ArtifactError, DataError
from blur.measurements import Measurements
from blur.metrics import Outcome, compute_all
from tests.metrics.builders import compute, measured, row

NAN, INF = math.nan, math.inf


def gap(of: str, model: Measurements, target: Measurements | None) -> Outcome:
    spec = {"name": "it", "metric": "approximate_gap", "of": of, "set": "s", "approximate": "a"}
    return compute_all([spec], model, {"target": target} if target else {})["it"]


def test_accuracy_weighs_tokens_not_texts() -> None:
    model = measured(
        row("a", [-1.0], argmax=[True]), row("b", [-1.0] * 3, argmax=[True, False, False], set="t", eos=True)
    )
    both = compute("token_accuracy", model, sets=["s", "t"])
    assert both.value == 2 / 4
    assert both.items == {"s": {"a": 1.0}, "t": {"b": 1 / 3}}
    assert both.details == {"tokens": 4.0}
    assert compute("token_accuracy", model, sets=["t"], eos=False).value == 1 / 2
    assert compute("exact_memorization", model, set="t", eos=True).value == 1 / 3


def test_accuracy_of_a_collapsed_model_is_not_defined_and_of_no_tokens_an_error() -> None:
    collapsed = compute("token_accuracy", measured(row("a", [-1.0, NAN], argmax=[True, True])), sets=["s"])
    assert (collapsed.value, collapsed.n) == (None, 1)
    assert "1 of 1 texts" in (collapsed.reason or "")
    with pytest.raises(DataError, match="no scored token"):
        compute("token_accuracy", measured(row("a", [])), sets=["s"])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_gap_is_to_the_original_model_s_value_on_the_approximate_set(sign: int) -> None:
    model = measured(row("f", [-2.0 + sign, -2.0 + sign], argmax=[True, False]), row("h", [-9.0], set="a"))
    target = measured(row("f", [-0.1, -0.1], argmax=[True, True]), row("h", [-2.0], set="a", argmax=[sign > 0]))
    found = gap("perplexity", model, target)
    assert found.value == pytest.approx(1.0), "nats a token; neither the target's forget set nor the model's other one"
    assert found.details == pytest.approx({"value": 2.0 - sign, "target": 2.0, "approximate": 9.0})
    assert found.direction == "lower"
    assert gap("accuracy", model, target).value == pytest.approx(0.5)


def test_a_gap_needs_both_numbers() -> None:
    other = row("h", [-2.0], set="a")
    target = measured(other)
    assert gap("perplexity", measured(row("f", [-800.0]), other), target).value == pytest.approx(798.0), (
        "beyond a perplexity"
    )
    assert gap("perplexity", measured(row("f", [-INF]), other), target).value is None
    assert gap("accuracy", measured(row("f", [NAN]), other), target).reason
    with pytest.raises(ArtifactError, match="needs the measurements of the target model"):
        gap("accuracy", measured(row("f", [-1.0]), other), None)
