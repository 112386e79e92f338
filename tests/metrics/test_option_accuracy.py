"""Accuracy by likelihood against hand-made scores."""

from __future__ import annotations

import math

import pytest

from tests.metrics.builders import compute, measured, row

INF = math.inf


def options(item, true, *false):
    """Scores of one question: of each option, its tokens'."""
    others = [row(item, one, field="perturbed_answer", index=place) for place, one in enumerate(false)]
    return [row(item, true), *others]


@pytest.mark.parametrize(
    ("scores", "share"),
    [
        (([-1.0, -1.0, -1.0], [-2.0], [-3.0]), 1.0),  # per token: its sum is the lowest
        (([-2.0], [-1.0], [-3.0]), 0.0),
        (([-1.0], [-1.0], [-3.0]), 1 / 2),
        (([-60.0], [-60.0], [-60.0]), 1 / 3),
        (([-INF], [-INF], [-INF]), 1 / 3),
    ],
)
def test_the_likeliest_option_counts_and_a_model_that_finds_all_alike_is_at_chance(scores, share):
    found = compute("option_accuracy", measured(*options("a", *scores)), set="s")
    assert found.value == pytest.approx(share)
    assert found.details == {"chance": pytest.approx(1 / 3)}


def test_it_is_a_mean_over_questions_without_the_end_of_the_sequence():
    right = [row("a", [-1.0, -9.0], eos=True), row("a", [-2.0, -0.1], field="perturbed_answer", index=0, eos=True)]
    model = measured(*right, *options("b", [-2.0], [-1.0]))
    assert compute("option_accuracy", model, set="s").value == pytest.approx(0.5)
    assert compute("option_accuracy", model, set="s", eos=True).value == pytest.approx(0.0)


def test_a_score_that_is_no_number_leaves_it_undefined():
    found = compute("option_accuracy", measured(*options("a", [-1.0], [math.nan], [-2.0])), set="s")
    assert found.value is None
    assert "NaN" in (found.reason or "")
