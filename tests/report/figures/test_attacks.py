"""Figures of attacks draw the rows of their CSV."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.report.runs import Run
from tests.report.drawn import lines, texts
from tests.report.made_up_attacks import ATTACKED, STEPS
from tests.report.options import data, draw

METHODS = [method for method in ATTACKED if method not in ("target", "retrained")]


def test_relearning_starts_before_the_attack_and_has_every_step(runs: list[Run]) -> None:
    rows, figure = data("relearning", runs), draw("relearning", runs)
    assert {row["method"] for row in rows} == set(ATTACKED)
    own = [row for row in rows if (row["method"], row["arm"]) == ("blur_npo", "retain")]
    assert [row["step"] for row in own] == [0, *STEPS]
    run = next(run for run in runs if (run.method, run.variant, run.seed) == ("blur_npo", "default", 0))
    assert own[0]["value"] == run.metrics["forget_probability"]
    assert own[2]["value"] == pytest.approx(0.1 + 0.04 * 6 + 0.1 * 10 / 40)
    drawn = lines(figure, "blur_npo default")
    assert len(drawn) == 4
    assert ([row["step"] for row in own], [row["value"] for row in own]) in drawn


def test_relearning_of_unseen_items_reads_those(runs: list[Run]) -> None:
    every, unseen = data("relearning", runs), data("relearning", runs, items="unseen")
    assert 0 not in {row["step"] for row in unseen}  # before the attack all items were judged
    later = [(one["value"], two["value"]) for one, two in zip((r for r in every if r["step"]), unseen, strict=True)]
    assert all(two == pytest.approx(one - 0.02) for one, two in later if one < 1)


def test_quantization_has_full_precision_first_and_says_what_could_not_be_run(runs: list[Run]) -> None:
    rows, figure = data("quantization", runs), draw("quantization", runs)
    own = [row for row in rows if row["method"] == "rmu"]
    assert [row["scheme"] for row in own] == ["full precision", "int8_channel", "int4_channel", "bnb_nf4"]
    assert own[3]["forget"] is None
    assert "bnb_nf4: bitsandbytes is not installed" in texts(figure)
    (values, _) = lines(figure, "collision_rate int4_channel")[0]
    assert values == [0.9] * len(ATTACKED)
    assert lines(figure, "forget bnb_nf4") == []


def test_survives_shows_the_largest_recovery_of_each_arm(runs: list[Run]) -> None:
    rows, figure = data("survives", runs), draw("survives", runs)
    cells = {(row["method"], row["arm"]): row for row in rows if row["kind"] == "arm"}
    assert {method for method, _ in cells} == set(METHODS)
    # under `retain` all three rise by 0.1 over 40 steps, the target to 1 and no further
    shares = [(0.34 - 0.05) / (min(1.0, 0.95 + 0.1 * step / 40) - 0.05 - 0.1 * step / 40) for step in STEPS]
    assert cells["blur_npo", "retain"]["value"] == pytest.approx(max(shares))
    assert cells["blur_npo", "retain"]["point"] == f"retain/step{STEPS[shares.index(max(shares))]}"
    assert cells["blur_npo", "bnb_nf4"]["value"] is None
    assert texts(figure).count("×") >= len(METHODS)


def test_survives_tells_robustness_or_a_dash(runs: list[Run]) -> None:
    verdicts = {row["method"]: row for row in data("survives", runs) if row["kind"] == "verdict"}
    good = {"forget_probability": 0.05, "model_utility": 0.61}
    able = [replace(run, metrics={**run.metrics, **good}) if run.method == "rmu" else run for run in runs]
    changed = {row["method"]: row for row in data("survives", able) if row["kind"] == "verdict"}
    assert verdicts["graddiff"]["robustness"] is None
    assert "utility" in verdicts["graddiff"]["reason"]
    assert changed["rmu"]["robustness"] is not None
    assert f"{changed['rmu']['robustness']:.2f}" in texts(draw("survives", able))


def test_claims_set_blur_against_its_weighted_sum_within_a_seed(runs: list[Run]) -> None:
    row = next(row for row in data("claims", runs) if row["method"] == "blur_npo")
    values = {(run.method, run.seed): run.metrics for run in runs if run.variant == "default"}
    gaps = [
        values["npo_gdr", seed]["forget_probability"] - values["blur_npo", seed]["forget_probability"]
        for seed in (0, 1, 2)
    ]
    assert row["forgotten"] == pytest.approx(sum(gaps) / 3)
    assert row["n"] == 3
    assert lines(draw("claims", runs), "forgotten 0")[0][0] == [row["forgotten"]]


def test_claims_tell_shares_of_the_target_before_and_after(runs: list[Run]) -> None:
    rows = {row["method"]: row for row in data("claims", runs) if row["claim"] == "quantization"}
    assert set(rows) == set(METHODS)
    target = next(run for run in runs if run.method == "target")
    own = next(run for run in runs if (run.method, run.variant, run.seed) == ("simnpo", "default", 0))
    before = own.metrics["forget_probability"] / target.metrics["forget_probability"]
    assert rows["simnpo"]["before"] == pytest.approx(before)
    assert rows["simnpo"]["after"] == pytest.approx((0.1 + 0.04 * 4 + 0.01) / (0.95 + 0.01))
    assert lines(draw("claims", runs), "claimed") == [([0.21, 0.21], [0, 1]), ([0.83, 0.83], [0, 1])]
