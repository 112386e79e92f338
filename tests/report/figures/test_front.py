from __future__ import annotations

from dataclasses import replace

import pytest

from blur.report.runs import Run
from tests.report.drawn import lines, texts
from tests.report.options import data, draw


def test_front_draws_points_means_and_differences(runs: list[Run]) -> None:
    rows, figure = data("front", runs), draw("front", runs)
    for series in ("bilevel", "weighted"):
        for kind, gid in (("mean", f"{series} mean"), ("seed", f"{series} seeds")):
            own = [row for row in rows if row["kind"] == kind and row["series"] == series]
            expected = [row["model_utility"] for row in own], [row["forget_probability"] for row in own]
            assert lines(figure, gid) == [expected]
    own = [row for row in rows if row["kind"] == "difference"]
    expected = [row["model_utility"] for row in own], [row["difference"] for row in own]
    assert lines(figure, "difference") == [expected]
    assert {row["pair"] for row in rows} == {"blur_npo/npo_gdr"}
    assert "λ = 1/γ" in texts(figure)


def test_front_finds_the_matched_lambda_from_xi_and_pairs_the_seeds(runs: list[Run]) -> None:
    rows = data("front", runs)
    row = next(row for row in rows if row["kind"] == "seed" and row["variant"] == "matched_gamma4" and row["seed"] == 2)
    blur = {run.seed: run for run in runs if (run.method, run.variant) == ("blur_npo", "gamma4")}
    xi = [step["xi"] for step in blur[2].steps if step["xi"] is not None]
    assert row["value"] == pytest.approx(len(xi) / sum(xi))
    held = {run.seed: run for run in runs if (run.method, run.variant) == ("npo_gdr", "matched_gamma4")}
    gaps = [blur[s].metrics["forget_probability"] - held[s].metrics["forget_probability"] for s in (0, 1, 2)]
    found = next(row for row in rows if row["kind"] == "matched" and row["variant"] == "matched_gamma4")
    assert (found["difference"], found["gamma"], found["n"]) == (pytest.approx(sum(gaps) / 3), 4.0, 3)


def test_front_says_not_comparable_where_utilities_do_not_meet(runs: list[Run]) -> None:
    far = [
        replace(run, metrics={**run.metrics, "model_utility": run.metrics["model_utility"] - 0.4})
        if run.method == "blur_npo"
        else run
        for run in runs
    ]
    assert "Not comparable" in texts(draw("front", far))
    assert not [row for row in data("front", far) if row["kind"] == "difference"]


def moved(runs: list[Run], variant: str, utility: float, forget: float, spread: float = 0.0) -> list[Run]:
    """The runs, with NPO-GDR's ``variant`` at one place; seeds ``spread`` apart in utility."""
    return [
        replace(
            run,
            metrics={**run.metrics, "model_utility": utility + spread * (run.seed - 1), "forget_probability": forget},
        )
        if (run.method, run.variant) == ("npo_gdr", variant)
        else run
        for run in runs
    ]


def test_front_is_fitted_to_the_two_fronts_and_names_a_matched_point_outside(runs: list[Run]) -> None:
    swept = [run for run in runs if run.variant != "matched_gamma4"]
    far = moved(swept, "matched", 0.2, 0.009, 0.15)
    with_it, without = draw("front", far), draw("front", [r for r in far if not r.is_matched])
    assert with_it.axes[0].get_xlim() == without.axes[0].get_xlim()
    assert with_it.axes[0].get_ylim() == without.axes[0].get_ylim()
    assert lines(with_it, "matched mean") == [([], [])]
    assert lines(with_it, "matched seeds") == []
    legend = " ".join(text.get_text() for text in with_it.axes[0].get_legend().get_texts())
    assert "at model utility 0.200, forget probability 0.009" in legend
    assert "cut to" not in texts(with_it)
    assert [row for row in data("front", far) if row["kind"] == "mean" and row["series"] == "matched"]


def test_front_draws_a_matched_point_inside_and_counts_its_seeds_outside(runs: list[Run]) -> None:
    swept = [run for run in runs if run.variant != "matched_gamma4"]
    near = moved(swept, "matched", 0.55, 0.12, 0.4)
    figure = draw("front", near)
    assert lines(figure, "matched mean") == [([pytest.approx(0.55)], [pytest.approx(0.12)])]
    assert "2 of 3 seeds outside" in texts(figure)
    assert "outside:" not in texts(figure)


def test_front_shows_every_point_and_interval_of_the_fronts(runs: list[Run]) -> None:
    axes = draw("front", runs).axes[0]
    for row in (r for r in data("front", runs) if r["kind"] in ("seed", "mean") and r["series"] != "matched"):
        for key, (low, high) in (("model_utility", axes.get_xlim()), ("forget_probability", axes.get_ylim())):
            ends = [row[f"{key}_low"], row[f"{key}_high"]] if row["kind"] == "mean" else []
            assert all(low < min(1.0, max(0.0, value)) < high for value in [row[key], *ends])


def test_front_text_stays_inside_the_figure_and_apart(runs: list[Run]) -> None:
    figure = draw("front", moved(runs, "matched", 0.1, 0.001, 0.09))
    figure.draw_without_rendering()
    right = figure.axes[1]
    (note,) = right.texts
    box = note.get_window_extent()
    assert not box.overlaps(right.xaxis.label.get_window_extent())
    boxes = [box, *(axes.xaxis.label.get_window_extent() for axes in figure.axes)]
    assert all(figure.bbox.x0 <= one.x0 and one.x1 <= figure.bbox.x1 for one in boxes)
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert not legend.get_window_extent().overlaps(box)


def test_front_names_settings_in_which_the_pair_differs(runs: list[Run]) -> None:
    faster = {"optimizer": {"name": "adamw", "lr": 3e-4}}
    other = [replace(r, settings={**r.settings, **faster}) if r.method == "npo_gdr" else r for r in runs]
    assert "Same losses" in texts(draw("front", runs))
    assert "differs also in: optimizer.lr" in texts(draw("front", other))
