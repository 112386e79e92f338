from __future__ import annotations

from statistics import median

import pytest

from blur.report.runs import Run
from tests.report.drawn import lines, texts
from tests.report.options import data, draw


def test_shares_and_ratios_are_those_of_the_steps(runs: list[Run]) -> None:
    rows = data("promise", runs)
    assert {row["method"] for row in rows} == {run.method for run in runs if any(step["kept"] for step in run.steps)}
    for row in (row for row in rows if row["kind"] == "seed"):
        run = next(
            run
            for run in runs
            if (run.method, run.variant, run.seed) == tuple(row[k] for k in ("method", "variant", "seed"))
        )
        assert row["share"] == sum(step["kept"] > 0 for step in run.steps) / len(run.steps)
        assert 0.7 < row["share"] < 0.8
        if run.combine["name"] != "weighted":
            ratios = [step["xi_over_gamma"] for step in run.steps]
            assert row["xi_over_gamma"] == pytest.approx(median(ratios))
            assert row["xi_over_gamma_low"] < row["xi_over_gamma"] < row["xi_over_gamma_high"]
        else:
            assert row["xi_over_gamma"] is row["xi_over_gamma_low"] is None


def test_a_mean_is_drawn_for_each_run(runs: list[Run]) -> None:
    figure, means = draw("promise", runs), [row for row in data("promise", runs) if row["kind"] == "mean"]
    assert lines(figure, "mean") == [([row["share"]], [place]) for place, row in enumerate(means)]
    assert "Not" not in texts(figure)
