from __future__ import annotations

import math
from dataclasses import replace

import pytest

from blur.report.runs import Run
from tests.report.drawn import logged, texts
from tests.report.options import data, draw


def test_geometry_obeys_the_identity_and_the_logged_norms(runs: list[Run]) -> None:
    rows = data("geometry", runs, variant="gamma4")
    cosines = sorted(
        s["cosine"]
        for s in next(r for r in runs if (r.method, r.variant, r.seed) == ("blur_npo", "gamma4", 0)).steps
        if s["cosine"] is not None
    )
    assert [row["cosine"] for row in rows] == [cosines[0], cosines[(len(cosines) - 1) // 2], cosines[-1]]
    for row in rows:
        assert row["u_x"] == pytest.approx(4.0, rel=1e-12)  # <g_f, u> / ||g_f||^2 = gamma
        assert math.hypot(row["g_r_x"], row["g_r_y"]) * row["forget_norm"] == pytest.approx(row["retain_norm"])
        assert row["g_r_x"] / math.hypot(row["g_r_x"], row["g_r_y"]) == pytest.approx(row["cosine"])
        assert (row["u_x"] - row["gamma_g_f_x"], row["u_y"]) == pytest.approx((row["projected_x"], row["projected_y"]))


@pytest.mark.parametrize(("ratio", "text"), [(1.5, "true to scale"), (40.0, "scaled apart"), (1000.0, "logarithmic")])
def test_geometry_says_how_its_axes_are_scaled(ratio: float, text: str, runs: list[Run]) -> None:
    run = next(run for run in runs if (run.method, run.variant) == ("blur_npo", "default"))
    cosine = -0.1
    step = {"step": 1, "forget_norm": 2.0, "retain_norm": 2 * ratio, "cosine": cosine, "xi": 1 - ratio * cosine}
    fake = replace(run)
    fake.__dict__["steps"] = [step]
    assert text in texts(draw("geometry", [fake]))


def test_geometry_states_the_identity_only_where_the_logged_xi_obeys_it(runs: list[Run]) -> None:
    run = next(run for run in runs if (run.method, run.variant) == ("blur_npo", "default"))
    one_sided = replace(run)
    one_sided.__dict__["steps"] = [{"step": 1, "forget_norm": 1.0, "retain_norm": 3.0, "cosine": 0.9, "xi": 0.0}]
    assert "lies on the dashed line" in texts(draw("geometry", [run]))
    assert "does not always lie" in texts(draw("geometry", [one_sided]))


def test_geometry_prefers_steps_whose_gradients_are_of_comparable_length(runs: list[Run]) -> None:
    saturated = [(1, 3.4e5, -0.9), (2, 1e-3, 0.9)]
    run = logged(runs, [*saturated, (3, 1.23456, -0.2), (4, 10.0, 0.1), (5, 0.1, 0.3)])
    assert [row["step"] for row in data("geometry", [run])] == [3, 4, 5]
    words = texts(draw("geometry", [run]))
    assert "the 3 of 5 steps whose gradients are within a factor of 10" in words
    assert "= 1.23, ξ = 1.25" in words
    few = logged(runs, [*saturated, (3, 1.5, -0.2), (4, 11.0, 0.1)])
    assert [row["step"] for row in data("geometry", [few])] == [1, 3, 2]
    assert "among all 4 steps" in texts(draw("geometry", [few]))


def test_geometry_headings_do_not_overlap(runs: list[Run]) -> None:
    figure = draw("geometry", [logged(runs, [(121, 1e5, -0.7), (2, 5.0, -0.2), (3, 1.3, 0.1)])])
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(two) for place, one in enumerate(boxes) for two in boxes[:place])


def test_geometry_needs_a_run_whose_gradient_is_not_zero(runs: list[Run]) -> None:
    run = replace(next(run for run in runs if run.method == "blur_npo"))
    run.__dict__["steps"] = [{"step": 1, "forget_norm": 0.0, "retain_norm": 1.0, "cosine": None, "xi": None}]
    assert data("geometry", [run]) == []
