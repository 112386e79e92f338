"""Forget quality and model utility."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import hmean, ks_2samp

from blur.core.errors import ArtifactError, BlurError
from blur.measurements import Measurements
from blur.metrics import Outcome, compute_all
from blur.metrics.kinds.harmonic_mean import harmonic_mean
from tests.metrics.builders import compute, measured, row, truths

TRUTH = {"set": "s", "truth": "paraphrased_answer"}


def model(log_ratios: list[float]) -> Measurements:
    """A model with the given log truth ratios (false over true)."""
    items = {str(i): value for i, value in enumerate(log_ratios)}
    return measured(*truths(dict.fromkeys(items, -1.0), {item: [value - 1.0] * 2 for item, value in items.items()}))


def test_forget_quality_equals_tofus_formula() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(0.5, 1, 40), rng.normal(0, 1, 40)
    metric = compute("forget_quality", model(own.tolist()), model(other.tolist()), **TRUTH)
    expected = ks_2samp(np.exp(own), np.exp(other))
    assert metric.value == pytest.approx(expected.pvalue, rel=1e-12)
    assert metric.details["ks_statistic"] == pytest.approx(expected.statistic)
    assert metric.n == 40
    assert metric.items["s"] == pytest.approx({str(i): value for i, value in enumerate(own)})


def test_forget_quality_against_itself_is_one() -> None:
    metric = compute("forget_quality", model([0.1, 0.2, 0.3]), model([0.1, 0.2, 0.3]), **TRUTH)
    assert metric.value == 1.0
    assert metric.details == {"ks_statistic": 0.0, "n": 3.0, "n_reference": 3.0}


def test_forget_quality_of_forty_items_takes_the_published_steps() -> None:
    """anchors.md 1.3: with forget01 any method can print only these values."""
    base = np.arange(40.0)
    steps = []
    for shift in range(13):
        metric = compute(
            "forget_quality", model((base + shift - 0.5 * (shift > 0)).tolist()), model(base.tolist()), **TRUTH
        )
        assert metric.details["ks_statistic"] == pytest.approx(shift / 40)
        steps.append(metric.value)
    published = [1.0, 0.9999, 0.990, 0.919, 0.766, 0.579, 0.405, 0.266, 0.165, 0.097, 0.054]
    assert steps[0:1] + steps[3:13] == pytest.approx(published, abs=6e-4)


def test_the_300_item_cap_of_tofu_changes_p_at_equal_distance() -> None:
    """Hence n is printed beside p: TOFU evaluates 300 items of forget10, open-unlearning 400."""
    results = {}
    for n in (300, 400):
        base = np.arange(float(n))
        metric = compute("forget_quality", model((base + n // 10 - 0.5).tolist()), model(base.tolist()), **TRUTH)
        results[n] = metric
    assert results[300].details["ks_statistic"] == pytest.approx(results[400].details["ks_statistic"])
    assert results[300].value is not None
    assert results[400].value is not None
    assert results[300].value > 2 * results[400].value
    assert [results[n].details["n"] for n in results] == [300.0, 400.0]


def test_forget_quality_does_not_overflow_for_a_collapsed_model() -> None:
    collapsed = model([800.0, 900.0, 1000.0, -800.0])
    assert compute("forget_quality", collapsed, collapsed, **TRUTH).value == 1.0
    ratios = compute("forget_quality", model([math.inf, 1.0]), model([math.inf, 1.0]), **TRUTH)
    assert ratios.value == 1.0


def test_truth_ratio_and_forget_quality_count_eos_unless_told_otherwise() -> None:
    def with_eos(true: float, false: float) -> Measurements:
        pairs = (("paraphrased_answer", true), ("perturbed_answer", false))
        return measured(*[row("a", [-1.0, last], field=field, eos=True) for field, last in pairs])

    own, other = with_eos(-1.0, -3.0), with_eos(-3.0, -1.0)
    assert compute("forget_quality", own, other, **TRUTH).details["ks_statistic"] == 1.0
    assert compute("forget_quality", own, other, **TRUTH, eos=False).details["ks_statistic"] == 0.0
    closeness = {"aggregate": "closeness", **TRUTH}
    assert compute("truth_ratio", own, **closeness).value == pytest.approx(math.exp(-1))
    assert compute("truth_ratio", own, **closeness, eos=False).value == 1.0


def test_forget_quality_with_nan_is_undefined() -> None:
    metric = compute("forget_quality", model([math.nan, 0.0]), model([0.0, 1.0]), **TRUTH)
    assert metric.value is None
    assert "NaN" in (metric.reason or "")


def test_forget_quality_needs_a_reference_on_the_same_items() -> None:
    with pytest.raises(ArtifactError, match="retrained"):
        compute("forget_quality", model([0.0]), **TRUTH)
    with pytest.raises(BlurError, match=r"different items \(id 1\)"):
        compute("forget_quality", model([0.0, 1.0]), model([0.0]), **TRUTH)


def test_harmonic_mean_by_hand_and_by_scipy() -> None:
    assert harmonic_mean([1.0, 0.5]) == pytest.approx(2 / 3)
    values = np.random.default_rng(0).uniform(0.01, 1, 9).tolist()
    assert harmonic_mean(values) == pytest.approx(hmean(values), rel=1e-14)
    assert harmonic_mean([0.7]) == pytest.approx(0.7)
    assert harmonic_mean([0.9, 0.0, 0.9]) == 0.0
    for wrong in ([], [0.5, -0.1]):
        with pytest.raises(BlurError, match="harmonic mean"):
            harmonic_mean(wrong)


def test_harmonic_mean_is_rounded_once() -> None:
    """So it is the same in any order, and in any Python: ``sum`` rounds otherwise from 3.12 on."""
    for values in np.random.default_rng(0).uniform(0.01, 1, (50, 9)).tolist():
        exact = float(sum(Fraction(1.0 / value) for value in values))
        assert harmonic_mean(values) == len(values) / exact


def utility(*rows: object) -> dict[str, Outcome]:
    aggregate = {"metric": "truth_ratio", "set": "s", "truth": "paraphrased_answer"}
    specs = [
        {"name": "closeness", **aggregate, "aggregate": "closeness"},
        {"name": "share", **aggregate, "aggregate": "share"},
        {"name": "model_utility", "metric": "harmonic_mean", "of": ["closeness", "share"]},
    ]
    return compute_all(specs, measured(*rows), {})  # type: ignore[arg-type]


def test_model_utility_shows_its_parts() -> None:
    metric = utility(*truths({"a": -1.0}, {"a": [-1.0]}))["model_utility"]
    assert metric.value == pytest.approx(2 / (1 / 1 + 1 / 0.5))
    assert metric.details == {"closeness": 1.0, "share": 0.5}
    assert metric.n == 2


def test_model_utility_with_an_undefined_part_is_undefined() -> None:
    metric = utility(*truths({"a": math.nan}, {"a": [-1.0]}))["model_utility"]
    assert metric.value is None
    assert "closeness, share: 1 of 1 items are NaN" in (metric.reason or ""), "both parts are not defined"
