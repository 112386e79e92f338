"""Membership inference and PrivLeak: AUC against brute force, each attack by hand, orientation, missing references."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blur.core.errors import ArtifactError, BlurError, ConfigError
from blur.measurements import GradnormRow, Measurements
from blur.metrics.kinds.mia import auc, lowest_mean
from tests.metrics.builders import compute, measured, row

INF = math.inf
SETS = {"members": "forget", "nonmembers": "holdout"}
SCORES = st.lists(st.sampled_from([-INF, -2.0, -1.0, -0.5, 0.0, 1e-300, 3.0, INF]), min_size=1, max_size=12)


def brute_force(members: list[float], nonmembers: list[float]) -> float:
    wins = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a in members for b in nonmembers)
    return wins / (len(members) * len(nonmembers))


@settings(max_examples=200, deadline=None)
@given(SCORES, SCORES)
def test_auc_equals_counting_all_pairs(members: list[float], nonmembers: list[float]) -> None:
    ours = auc(np.array(members), np.array(nonmembers))
    assert ours == pytest.approx(brute_force(members, nonmembers), abs=1e-15)
    assert ours + auc(np.array(nonmembers), np.array(members)) == pytest.approx(1.0, abs=1e-15)


def test_auc_equals_the_mann_whitney_statistic() -> None:
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1, 200).round(1), rng.normal(0, 1, 150).round(1)
    assert auc(a, b) == pytest.approx(mannwhitneyu(a, b).statistic / (200 * 150), abs=1e-15)


def test_auc_edges() -> None:
    assert auc(np.array([1.0]), np.array([0.0])) == 1.0
    assert auc(np.ones(5), np.ones(3)) == 0.5
    for members, nonmembers in (([], [1.0]), ([1.0], []), ([math.nan], [1.0]), ([1.0], [math.nan])):
        with pytest.raises(BlurError, match="AUC"):
            auc(np.array(members), np.array(nonmembers))


def known_and_unknown() -> Measurements:
    """Two forget texts well known, two holdout texts not, in every respect an attack looks at."""
    rows = [row(f"f{i}", [-0.1, -0.2 - i], set="forget", mean=[-2.0] * 2, text="a b c d") for i in range(2)]
    rows += [row(f"h{i}", [-4.0, -5.0 - i], set="holdout", mean=[-2.0] * 2, text="a b c d") for i in range(2)]
    norms = [GradnormRow(s, f"{s[0]}{i}", 0.1 if s == "forget" else 9.0) for s in ("forget", "holdout") for i in (0, 1)]
    return measured(*rows, *norms)


def forgotten() -> Measurements:
    rows = [row(f"{s[0]}{i}", [-3.0, -3.0], set=s, text="a b c d") for s in ("forget", "holdout") for i in (0, 1)]
    return measured(*rows)


@pytest.mark.parametrize("attack", ["loss", "zlib", "min_k", "min_k_plus_plus", "gradnorm", "reference"])
def test_every_attack_is_signed_so_that_one_means_memorised(attack: str) -> None:
    metric = compute("mia", known_and_unknown(), forgotten(), attack=attack, **SETS)
    assert metric.value == 1.0
    assert metric.direction == "match"
    assert metric.details == {"n_members": 2.0, "n_nonmembers": 2.0}
    assert set(metric.items) == {"forget", "holdout"}
    swapped = {"members": "holdout", "nonmembers": "forget"}
    assert compute("mia", known_and_unknown(), forgotten(), attack=attack, **swapped).value == 0.0


def score(attack: str, item: str = "a", **params: object) -> float:
    rows = [
        row(
            "a",
            [-1.0, -6.0, -2.0, -3.0, -9.0],
            set="forget",
            eos=True,
            text="héllo " * 20,
            mean=[-2.0] * 5,
            var=[4.0] * 5,
        ),
        row("b", [-0.5], set="holdout"),
    ]
    metric = compute("mia", measured(*rows), attack=attack, **SETS, **params)
    return metric.items["forget"][item]


def test_scores_by_hand_without_eos() -> None:
    assert score("loss") == -3.0
    assert score("loss", eos=True) == pytest.approx(-4.2)
    assert score("zlib") == -3.0 / len(zlib.compress(("héllo " * 20).encode()))
    assert score("min_k", k=0.5) == -4.5
    assert score("min_k", k=0.01) == -6.0
    assert score("min_k", k=1.0) == score("loss")
    assert score("min_k_plus_plus", k=0.5) == pytest.approx(((-6 + 2) / 2 + (-3 + 2) / 2) / 2)


def test_min_k_takes_the_floor_and_at_least_one_token() -> None:
    values = -np.arange(1.0, 11.0)
    assert lowest_mean(values, 0.3) == -9.0
    assert lowest_mean(-np.arange(1.0, 101.0), 0.29) == -86.0  # 0.29 * 100 is 28.999999999999996 in binary
    assert lowest_mean(values, 0.39) == -9.0
    assert lowest_mean(values, 0.05) == -10.0
    assert math.isnan(lowest_mean(np.array([-1.0, math.nan]), 0.5))


def test_min_k_plus_plus_guards_zero_and_negative_variance() -> None:
    rows = [
        row("sure", [0.0, 0.0], set="forget", mean=[0.0, 0.0], var=[0.0, -1e-9]),
        row("other", [-1.0], set="holdout", mean=[-1.5], var=[0.25]),
    ]
    metric = compute("mia", measured(*rows), attack="min_k_plus_plus", **SETS)
    assert metric.items == {"forget": {"sure": 0.0}, "holdout": {"other": 1.0}}


def test_collapsed_models_minus_infinity_is_a_rank_and_nan_is_undefined() -> None:
    gone = measured(row("a", [-INF], set="forget"), row("b", [-1.0], set="holdout"))
    assert compute("mia", gone, attack="loss", **SETS).value == 0.0
    broken = measured(row("a", [math.nan], set="forget"), row("b", [-1.0], set="holdout"))
    metric = compute("mia", broken, attack="min_k", **SETS)
    assert metric.value is None
    assert "1 of 2 scores are NaN" in (metric.reason or "")


def test_a_text_without_tokens_is_left_out_unlike_open_unlearning() -> None:
    """There an empty answer scores 0, which is the best a text can score."""
    rows = [row("a", [-1.0], set="forget", eos=True), row("c", [-3.0, -1.0], set="forget", eos=True)]
    metric = compute("mia", measured(*rows, row("b", [-2.0], set="holdout")), attack="min_k", **SETS)
    assert metric.items["forget"] == {"c": -3.0}
    assert metric.value == 0.0
    assert auc(np.array([0.0, -3.0]), np.array([-2.0])) == 0.5


def test_reference_attack_needs_the_same_items() -> None:
    other = measured(row("f0", [-1.0], set="forget"), row("h0", [-1.0], set="holdout"))
    with pytest.raises(BlurError, match="other items"):
        compute("mia", known_and_unknown(), other, attack="reference", **SETS)
    with pytest.raises(ArtifactError, match="retrained"):
        compute("mia", known_and_unknown(), attack="reference", **SETS)


def ranked(forget: list[float], holdout: list[float]) -> Measurements:
    rows = [row(f"f{i}", [value], set="forget") for i, value in enumerate(forget)]
    return measured(*rows, *[row(f"h{i}", [value], set="holdout") for i, value in enumerate(holdout)])


RETRAINED = ranked([-2.0, -4.0], [-1.0, -3.0])


def test_privleak_has_the_orientation_of_muse() -> None:
    """AUC there is P(forget looks less known): 3/4 for the retrained model here, 0 for a memorising one."""
    remembers = compute("privleak", ranked([-0.1, -0.2], [-1.0, -3.0]), RETRAINED, **SETS)
    assert remembers.value == -100.0
    assert remembers.details["auc_retrained"] == 0.75
    scrubbed = compute("privleak", ranked([-8.0, -9.0], [-1.0, -3.0]), RETRAINED, **SETS)
    assert scrubbed.value == pytest.approx(100 * (1 / 0.75 - 1))
    assert compute("privleak", RETRAINED, RETRAINED, **SETS).value == 0.0
    assert remembers.direction == "zero"


def long(forget: list[float], holdout: list[float]) -> Measurements:
    return measured(row("f", forget, set="forget", eos=True), row("h", holdout, set="holdout", eos=True))


def test_min_40_percent_without_eos_is_the_default() -> None:
    """Five tokens and EOS: the two lowest decide, neither the mean (which says the opposite) nor EOS."""
    model = long([-3.0, -3.0, -3.0, -3.0, -3.0, -50.0], [-4.0, -4.0, -0.1, -0.1, -0.1, -0.1])
    assert compute("mia", model, attack="min_k", **SETS).value == 1.0
    assert compute("mia", model, attack="min_k", k=1.0, **SETS).value == 0.0
    assert compute("mia", model, attack="min_k", eos=True, **SETS).value == 0.0
    tied = long([-1.0] * 6, [-1.0] * 6)
    assert compute("privleak", model, tied, **SETS).value == -100.0
    assert compute("privleak", model, tied, k=1.0, **SETS).value == 100.0
    assert compute("privleak", model, tied, eos=True, **SETS).value == 100.0


def test_privleak_agrees_with_the_published_definition_on_random_scores() -> None:
    from scipy.stats import rankdata

    def muse_auc(model: Measurements) -> float:
        losses = [-model.likelihood(s, "answer")[i].logprob[0] for s in ("forget", "holdout") for i in range(30)]
        return (rankdata(losses)[:30].sum() - 30 * 31 / 2) / 900

    rng = np.random.default_rng(1)
    own, retrained = (
        ranked(*(-rng.exponential(1, (2, 30)) - np.array([[shift], [0]])).tolist()) for shift in (0.4, 0.0)
    )
    expected = 100 * (muse_auc(own) - muse_auc(retrained)) / muse_auc(retrained)
    assert compute("privleak", own, retrained, **SETS).value == pytest.approx(expected, abs=1e-10)


def test_fault_10_privleak_without_the_retrained_model_is_an_error() -> None:
    """anchors.md 1.6 #10: open-unlearning goes on with AUC_retrained = 0.5; MUSE with its own models' constant."""
    model = ranked([-8.0, -9.0], [-1.0, -3.0])
    with pytest.raises(ArtifactError, match="needs the measurements of the retrained model"):
        compute("privleak", model, **SETS)
    silent = 100 * (1.0 - 0.5) / 0.5
    assert compute("privleak", model, RETRAINED, **SETS).value != pytest.approx(silent)


@pytest.mark.parametrize(("name", "area"), [("muse_news", 0.4772), ("muse_books", 0.5393)])
def test_privleak_against_a_published_model_needs_no_retrained_one(name: str, area: float) -> None:
    model = measured(row("m", [-3.0]), row("n", [-1.0], set="t"))
    metric = compute("privleak", model, members="s", nonmembers="t", published=name)
    assert metric.value == pytest.approx(100 * (1 - area) / area)
    assert metric.details["auc_retrained"] == area
    with pytest.raises(ConfigError, match=r"published: .*'muse_news' or 'muse_books', got 'tofu'"):
        compute("privleak", model, members="s", nonmembers="t", published="tofu")


def test_privleak_cannot_divide_by_an_auc_of_zero() -> None:
    metric = compute("privleak", RETRAINED, ranked([-0.1], [-1.0]), **SETS)
    assert metric.value is None
    assert "nothing to divide by" in (metric.reason or "")
