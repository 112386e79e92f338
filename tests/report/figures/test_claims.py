"""Shares of the target's level that attacks bring back, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.report import figures
from tests.report.by_hand import run

OPTIONS = {"forget": ["f"], "utility": "u", "pairs": {}}
RTT = {"name": "rtt", "items": "unseen", "chance": 0.25}
TARGET = run("target", 0.9, 0.8, {"fold_0/1": 0.8, "fold_0/2": 0.6, "fold_0/3": 0.3, "fold_1/1": 0.5}, **RTT)
OWN = run("npo", 0.3, 0.8, {"fold_0/1": 0.2, "fold_0/2": 0.4, "fold_0/3": 0.75, "fold_1/1": 0.45}, **RTT)


def shares(runs, attack, *arms):
    (row,) = figures.build("claims", OPTIONS | {"arms": {attack: arms}}).data(runs)
    return row["before"], row["after"]


def test_rtt_is_the_mean_over_folds_of_each_sides_best_without_points_that_destroyed_the_target():
    # fold_0/3 leaves the target 0.05 above chance; the largest ratio of one point would be 0.45 / 0.5
    before, after = shares([TARGET, OWN], "rtt", "fold_0", "fold_1")
    assert before == pytest.approx(0.3 / 0.9)
    assert after == pytest.approx((0.4 / 0.8 + 0.45 / 0.5) / 2)
    assert shares([TARGET, OWN], "rtt", "fold_1")[1] == pytest.approx(0.45 / 0.5)


def test_quantization_is_the_largest_over_arms_without_those_that_destroyed_the_target():
    levels = {
        "target": (0.85, 0.8, 0.002),
        "retrained": (0.1, 0.1, 0.002),
        "npo": (0.17, 0.4, 0.01),  # 5 times what the last arm leaves of the target
    }
    arms = ("group", "channel", "tensor")
    runs = [
        run(method, 0.9, 0.8, dict(zip(arms, found, strict=True)), name="quantization")
        for method, found in levels.items()
    ]
    assert shares(runs, "quantization", *arms)[1] == pytest.approx(0.5)
    assert shares(runs, "quantization", "group")[1] == pytest.approx(0.2)
    assert shares(runs, "quantization", "tensor")[1] is None


def test_references_of_another_seed_count():
    assert shares([replace(TARGET, seed=1), OWN], "rtt", "fold_1")[1] == pytest.approx(0.9)
