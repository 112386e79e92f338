"""Probability, options, truth ratio, memorization, perplexity: closed forms, edges, others' faults."""

from __future__ import annotations

import math

import numpy as np
import pytest

from blur.core.errors import BlurError
from blur.metrics.kinds.extraction_strength import extraction_strength
from blur.metrics.kinds.truth_ratio import aggregated
from tests.metrics.builders import compute, measured, row, truths

INF = math.inf


def test_probability_is_the_geometric_mean_of_the_tokens() -> None:
    model = measured(row("a", np.log([0.5, 0.25, 0.125]).tolist(), eos=True), row("b", [math.log(0.9)]))
    metric = compute("probability", model, set="s")
    assert metric.items["s"]["a"] == pytest.approx(0.25, rel=1e-12)
    assert metric.value == pytest.approx((0.25 + 0.9) / 2, rel=1e-12)
    assert metric.n == 2


def test_probability_counts_eos_unless_told_otherwise() -> None:
    model = measured(row("a", np.log([0.5, 0.5, 0.01]).tolist(), eos=True))
    assert compute("probability", model, set="s").value == pytest.approx((0.25 * 0.01) ** (1 / 3))
    assert compute("probability", model, set="s", eos=False).value == pytest.approx(0.5)


def test_probability_of_a_collapsed_model_is_zero_or_undefined() -> None:
    assert compute("probability", measured(row("a", [-1.0, -INF])), set="s").value == 0.0
    broken = compute("probability", measured(row("a", [-1.0]), row("b", [math.nan])), set="s")
    assert broken.value is None
    assert "NaN" in (broken.reason or "")


def test_an_answer_that_is_only_eos_is_left_out_without_it() -> None:
    model = measured(row("a", [-1.0], eos=True), row("b", [-2.0, -1.0], eos=True))
    metric = compute("probability", model, set="s", eos=False)
    assert metric.items == {"s": {"b": pytest.approx(math.exp(-2.0))}}
    assert metric.details == {"skipped": 1.0}


def test_options_are_compared_after_normalisation_by_length() -> None:
    rows = [
        row("a", [math.log(0.3)] * 4),
        row("a", [math.log(0.6)], field="perturbed_answer", index=0),
        row("a", [math.log(0.1)] * 2, field="perturbed_answer", index=1),
    ]
    assert compute("probability_with_options", measured(*rows), set="s").value == pytest.approx(0.3, rel=1e-12)


def test_options_of_a_collapsed_model_stay_at_chance_unlike_open_unlearning() -> None:
    logs = [-60.0, -60.0, -60.0, -60.0]
    rows = [row("a", logs[:1])] + [row("a", [v], field="perturbed_answer", index=i) for i, v in enumerate(logs[1:])]
    assert compute("probability_with_options", measured(*rows), set="s").value == pytest.approx(0.25)
    theirs = math.exp(-60) / (4 * math.exp(-60) + 1e-10)
    assert theirs < 1e-10


def test_options_count_eos_unless_told_otherwise() -> None:
    ends = (("answer", 0.9), ("perturbed_answer", 0.1))
    model = measured(*[row("a", np.log([0.5, end]).tolist(), field=field, eos=True) for field, end in ends])
    assert compute("probability_with_options", model, set="s").value == pytest.approx(3 / 4)
    assert compute("probability_with_options", model, set="s", eos=False).value == pytest.approx(1 / 2)


def test_options_that_are_all_impossible_are_undefined() -> None:
    model = measured(row("a", [-INF]), row("a", [-INF], field="perturbed_answer"))
    assert compute("probability_with_options", model, set="s").value is None


@pytest.mark.parametrize("metric", ["probability_with_options", "truth_ratio"])
def test_fault_5_one_missing_item_does_not_shift_the_rest(metric: str) -> None:
    """anchors.md 1.6 #5: open-unlearning zips filtered values with the unfiltered list of ids."""
    true = {"a": -1.0, "b": -2.0, "c": -3.0}
    false = {"b": [-2.5], "c": [-1.0]}
    extra = {"aggregate": "utility"} if metric == "truth_ratio" else {}
    full = compute(metric, measured(*truths(true, false | {"a": [-9.0]})), set="s", truth="paraphrased_answer", **extra)
    ours = compute(metric, measured(*truths(true, false)), set="s", truth="paraphrased_answer", **extra)
    assert ours.items["s"] == {item: full.items["s"][item] for item in ("b", "c")}
    assert ours.details == {"skipped": 1.0}
    values = list(ours.items["s"].values())
    theirs = dict(zip(true, values, strict=False))
    assert theirs["b"] == full.items["s"]["c"] != full.items["s"]["b"]


def test_truth_ratio_three_aggregates_by_hand() -> None:
    true = {"a": math.log(0.5), "b": math.log(0.1)}
    false = {"a": np.log([0.2, 0.05]).tolist(), "b": np.log([0.2, 0.8]).tolist()}
    model = measured(*truths(true, false))
    t = {"a": math.sqrt(0.2 * 0.05) / 0.5, "b": math.sqrt(0.2 * 0.8) / 0.1}
    terms = {
        "closeness": {item: min(value, 1 / value) for item, value in t.items()},
        "utility": {item: max(0.0, 1 - value) for item, value in t.items()},
        "share": {item: 1 / (1 + value) for item, value in t.items()},
    }
    for aggregate, expected in terms.items():
        metric = compute("truth_ratio", model, set="s", truth="paraphrased_answer", aggregate=aggregate)
        assert metric.items["s"] == pytest.approx(expected, rel=1e-12)
        assert metric.value == pytest.approx(np.mean(list(expected.values())), rel=1e-12)


def test_truth_ratio_limits() -> None:
    logs = np.array([INF, -INF, 800.0, -800.0, 0.0])
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(aggregated(logs[[0, 1, 4]], "closeness"), [0, 0, 1])
        np.testing.assert_array_equal(aggregated(logs, "utility"), [0, 1, 0, 1, 0])
        np.testing.assert_array_equal(aggregated(logs[[0, 1, 2, 4]], "share"), [0, 1, 0, 0.5])


def test_truth_ratio_of_a_collapsed_model_does_not_vanish_unlike_open_unlearning() -> None:
    model = measured(*truths({"a": -40.0}, {"a": [-40.0, -40.0]}))
    metric = compute("truth_ratio", model, set="s", truth="paraphrased_answer", aggregate="utility")
    assert metric.value == 0.0
    theirs = math.exp(-40) / (math.exp(-40) + 1e-10)
    assert max(0, 1 - theirs) > 0.99


def test_truth_ratio_of_two_impossible_answers_is_undefined() -> None:
    model = measured(*truths({"a": -INF, "b": -1.0}, {"a": [-INF], "b": [-1.0]}))
    metric = compute("truth_ratio", model, set="s", truth="paraphrased_answer", aggregate="closeness")
    assert metric.value is None
    assert metric.items == {"s": {"b": 1.0}}


def test_exact_memorization_leaves_eos_out() -> None:
    model = measured(row("a", [-1.0] * 5, argmax=[True, False, False, True, True], eos=True))
    assert compute("exact_memorization", model, set="s").value == 0.5
    assert compute("exact_memorization", model, set="s", eos=True).value == 0.6


def test_fault_4_extraction_strength_of_a_total_miss_is_zero() -> None:
    """anchors.md 1.6 #4: open-unlearning's loop ends at n-1, so a total miss equals a right last token."""

    def theirs(matches: list[bool]) -> float:
        k = 0
        for k in range(len(matches)):
            if all(matches[k:]):
                break
        return 1 - k / len(matches)

    miss, last = [False] * 10, [False] * 9 + [True]
    assert theirs(miss) == theirs(last) == pytest.approx(0.1)
    assert extraction_strength(np.array(miss)) == 0.0
    assert extraction_strength(np.array(last)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("matches", "expected"),
    [([True] * 4, 1.0), ([True, False, True, True], 0.5), ([True, True, True, False], 0.0), ([True], 1.0)],
)
def test_extraction_strength_by_hand(matches: list[bool], expected: float) -> None:
    assert extraction_strength(np.array(matches)) == expected


def test_extraction_strength_leaves_eos_out_and_skips_empty_answers() -> None:
    model = measured(
        row("a", [-1.0] * 4, argmax=[False, False, True, False], eos=True), row("b", [-1.0], argmax=[True], eos=True)
    )
    metric = compute("extraction_strength", model, set="s")
    assert metric.items["s"] == {"a": pytest.approx(1 / 3)}
    assert metric.details == {"skipped": 1.0}
    assert compute("extraction_strength", model, set="s", eos=True).items["s"] == {"a": 0.0, "b": 1.0}


@pytest.mark.parametrize("metric", ["exact_memorization", "extraction_strength"])
def test_the_argmax_of_nan_logits_means_nothing(metric: str) -> None:
    assert compute(metric, measured(row("a", [math.nan, -1.0], argmax=[True, True])), set="s").value is None


def test_perplexity_weighs_tokens_not_texts() -> None:
    model = measured(row("a", [-1.0, -1.0, -4.0], eos=True), row("b", [-6.0], set="t"))
    metric = compute("perplexity", model, sets=["s", "t"])
    assert metric.value == pytest.approx(math.exp(12 / 4))
    assert metric.items == {"s": {"a": 2.0}, "t": {"b": 6.0}}
    assert metric.details == {"tokens": 4.0, "mean_loss": 3.0}
    assert compute("perplexity", model, sets=["s"], eos=False).value == pytest.approx(math.e)


@pytest.mark.parametrize(("logprob", "has_mean"), [(-INF, False), (math.nan, False), (-2000.0, True)])
def test_perplexity_that_is_not_finite_says_so(logprob: float, has_mean: bool) -> None:
    metric = compute("perplexity", measured(row("a", [-1.0, logprob])), sets=["s"])
    assert metric.value is None
    assert "no finite perplexity" in (metric.reason or "")
    assert ("mean_loss" in metric.details) == has_mean


def test_perplexity_of_no_tokens_is_an_error() -> None:
    with pytest.raises(BlurError, match="no scored token"):
        compute("perplexity", measured(row("a", [])), sets=["s"])


def test_a_field_with_several_texts_per_item_cannot_be_a_single_one() -> None:
    rows = [row("a", [-1.0], field="perturbed_answer", index=i) for i in range(2)]
    with pytest.raises(BlurError, match="more than one text"):
        compute("probability", measured(*rows), set="s", field="perturbed_answer")
