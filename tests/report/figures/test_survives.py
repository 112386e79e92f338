"""Cells of the figure of what survives, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.report import figures
from tests.report.by_hand import attack, run

TARGET, RETRAINED = run("target", 0.9, 0.8, {"b": 0.9}), run("retrained", 0.1, 0.8, {"b": 0.1})


def drawn(*runs):
    figure = figures.build("survives", {"forget": ["f"], "utility": "u"})
    rows = figure.data(runs)
    return rows, figure.draw(rows, runs, "T").axes[0]


def test_each_seed_has_its_own_row():
    levels = {("ga", 0): 0.2, ("ga", 1): 0.3, ("npo", 0): 0.5, ("npo", 1): 0.7}
    runs = [run(method, 0.2, 0.8, {"b": level}, seed=seed) for (method, seed), level in levels.items()]
    expected = [(level - 0.1) / 0.8 for level in levels.values()]
    rows, axes = drawn(TARGET, RETRAINED, *runs)
    assert axes.images[0].get_array()[:, 0].tolist() == pytest.approx(expected)
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert [written[0, place] for place in range(4)] == [f"{value:.2f}" for value in expected]
    arms = [row for row in rows if row["kind"] == "arm"]
    assert [(row["method"], row["seed"]) for row in arms] == list(levels)
    assert [row["value"] for row in arms] == pytest.approx(expected)


def test_only_attacks_that_said_something_are_counted():
    def with_parts(one, level):
        return replace(one, attacks={**one.attacks, "parts": attack({"adapter": level}, name="parts")})

    runs = [with_parts(TARGET, 0.9), with_parts(RETRAINED, 0.1), with_parts(run("npo", 0.2, 0.8, {"b": 0.3}), None)]
    _, axes = drawn(*runs)
    assert "0.75\n1 of 2" in [text.get_text() for text in axes.texts]


def test_columns_stand_under_the_attacks_title():
    def titled(one):
        return replace(one, attacks={"rtt": {**attack({"b": 0.5}, name="rtt"), "title": "Retraining on T"}})

    _, axes = drawn(titled(TARGET), titled(RETRAINED), titled(run("npo", 0.2, 0.8, {})))
    assert "Retraining on T" in [text.get_text() for text in axes.texts]
