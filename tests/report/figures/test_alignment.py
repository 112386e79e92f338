from __future__ import annotations

import math

import pytest

from blur.report.runs import Run
from tests.report.drawn import lines, logged, texts
from tests.report.options import data, draw


def test_alignment_and_cosine_draw_the_logged_numbers_and_skip_null(runs: list[Run]) -> None:
    run = next(run for run in runs if (run.method, run.variant, run.seed) == ("npo_gdr", "default", 1))
    steps = [step for step in run.steps if step["cosine"] is not None]
    assert len(steps) == len(run.steps) - 1
    expected = [float(step["step"]) for step in steps], [step["cosine"] for step in steps]
    figure = draw("cosine_npo", runs)
    assert lines(figure, "seed1") == [expected]
    aligned = draw("alignment", runs, methods=["npo_gdr"])
    assert lines(aligned, "seed1") == [(expected[0], [step["inner"] for step in steps]), expected]


def test_cosine_states_the_share_of_negative_steps(runs: list[Run]) -> None:
    own = [run for run in runs if run.method == "npo_gdr" and run.variant == "default"]
    known = [[step["cosine"] for step in run.steps if step["cosine"] is not None] for run in own]
    share = sum(sum(c < 0 for c in cosines) / len(cosines) for cosines in known) / 3
    assert f"{share:.0%} of the steps" in texts(draw("cosine_npo", runs))


def test_cosine_takes_lambda_from_the_settings(runs: list[Run]) -> None:
    rows = data("cosine_npo", runs, lam=4.0)
    assert {row["variant"] for row in rows} == {"lambda4"}
    assert data("cosine_npo", runs, lam=5.0) == []


@pytest.mark.parametrize("spread", [1.5, 3.0, 8.0])
def test_alignment_ticks_do_not_overlap_where_the_axis_is_logarithmic(spread: float, runs: list[Run]) -> None:
    run = logged(runs, [(n, 10 ** (spread * math.cos(n)), 0.5 * math.sin(2 * n)) for n in range(1, 60)])
    figure = draw("alignment", [run])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_yscale() == "symlog"
    shown = [t for t in axes.get_yticklabels() if axes.get_ylim()[0] <= t.get_position()[1] <= axes.get_ylim()[1]]
    boxes = [text.get_window_extent() for text in shown]
    assert len(boxes) >= 4
    assert not any(one.overlaps(two) for place, one in enumerate(boxes) for two in boxes[:place])
