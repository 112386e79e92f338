import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from blur.core.errors import ConfigError
from blur.report import figures, style
from blur.report.runs import Run, read_runs
from tests.report.options import OPTIONS, TOFU, data, draw
from tests.report.results_tree import METHODS, write_run

NAMES = sorted(TOFU)
BENCHMARKS = ["tofu", "muse", "wmdp"]


Results = dict[str, list[Run]]


def lines(figure: Figure, gid: str) -> list[tuple[list[float], list[float]]]:
    found = [line for axes in figure.axes for line in axes.lines if line.get_gid() == gid]
    return [([float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()]) for line in found]


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_the_names_are_the_modules() -> None:
    assert figures.names() == NAMES
    with pytest.raises(ConfigError, match="tradeoff"):
        figures.load("trade")


@pytest.mark.parametrize("name", NAMES)
def test_same_runs_in_any_order_give_the_same_bytes(name: str, tmp_path: Path, all_runs: Results) -> None:
    runs = all_runs["muse" if name == "requests" else "tofu"]
    options = OPTIONS["muse" if name == "requests" else "tofu"][name]
    first = figures.save(name, runs, tmp_path / "a", task_title="T", **options)
    second = figures.save(name, runs[::-1], tmp_path / "b", task_title="T", **options)
    assert [path.name for path in first] == [f"{name}.pdf", f"{name}.png", f"{name}.csv"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert b"CreationDate" not in first[0].read_bytes()
    assert first[1].read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in first)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", ["none", "references", "one seed", "one run", "undefined", "equal", "huge"])
def test_edge_cases_are_drawn(name: str, case: str, all_runs: Results) -> None:
    runs = all_runs["tofu"]
    cases = {
        "none": [],
        "references": [run for run in runs if run.is_reference],
        "one seed": [run for run in runs if run.seed == 0],
        "one run": [run for run in runs if (run.method, run.variant, run.seed) == ("blur_npo", "default", 0)],
        "undefined": [replace(run, metrics=dict.fromkeys(run.metrics)) for run in runs],
        "equal": [replace(run, metrics=dict.fromkeys(run.metrics, 0.5)) for run in runs],
        "huge": [replace(run, metrics=dict.fromkeys(run.metrics, 10.0 ** (100 * run.seed + 1))) for run in runs],
    }
    figure = draw(name, cases[case])
    figure.draw_without_rendering()
    if not data(name, cases[case]):
        assert "Nothing to draw" in texts(figure)


@pytest.mark.parametrize("bench", BENCHMARKS)
@pytest.mark.parametrize("name", NAMES)
def test_text_is_at_least_eight_points(name: str, bench: str, all_runs: Results) -> None:
    figure = draw(name, all_runs[bench], bench)
    found = figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    assert min(text.get_fontsize() for text in found if text.get_text()) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_csv_has_the_rows_in_full_precision(name: str, all_runs: Results) -> None:
    rows = data(name, all_runs["tofu"])
    read = list(csv.DictReader(io.StringIO(figures.to_csv(rows))))
    assert len(read) == len(rows) > 0
    for text, row in zip(read, rows, strict=True):
        for key, value in row.items():
            if isinstance(value, float):
                assert float(text[key]) == value
            else:
                assert text[key] == ("" if value is None else str(value))


def test_tradeoff_draws_its_rows(runs: list[Run]) -> None:
    rows, figure = data("tradeoff", runs), draw("tradeoff", runs)
    for row in rows:
        assert lines(figure, f"{row['method']}/{row['variant']}") == [([row["model_utility"]], [row["forget_rouge"]])]
    assert [row["lambda"] for row in rows if row["kind"] == "sweep"] == [0.3, 1.0, 3.0, 10.0, 30.0]
    assert {row["method"] for row in rows} == {*METHODS, "target", "retrained"}
    values = [r.metrics["forget_rouge"] for r in runs if (r.method, r.variant) == ("graddiff", "lambda3")]
    assert next(r for r in rows if r["lambda"] == 3.0)["forget_rouge"] == pytest.approx(math.fsum(values) / 3)


def test_tradeoff_counts_only_seeds_with_both_metrics(runs: list[Run]) -> None:
    own = [run for run in runs if (run.method, run.variant) == ("npo", "default")]
    own[0] = replace(own[0], metrics={**own[0].metrics, "model_utility": None})
    (row,) = data("tradeoff", own)
    assert row["n"] == 2
    assert row["forget_rouge"] == pytest.approx(sum(run.metrics["forget_rouge"] for run in own[1:]) / 2)


def test_a_method_that_was_not_swept_is_a_point_like_the_others(runs: list[Run]) -> None:
    rows = data("tradeoff", [run for run in runs if run.variant == "default"])
    assert {row["kind"] for row in rows if row["method"] == "graddiff"} == {"method"}
    assert "swept" not in texts(draw("tradeoff", [run for run in runs if run.variant == "default"]))


def test_labels_of_the_sweep_do_not_overlap(runs: list[Run]) -> None:
    for name in ("tradeoff", "front"):
        figure = draw(name, runs)
        figure.draw_without_rendering()
        found = [text for text in figure.axes[0].texts if re.fullmatch(r"([γλ] = )?[\d.]+", text.get_text())]
        boxes = [Text.get_window_extent(text) for text in found]  # an Annotation's own extent has the arrow in it
        assert len(boxes) >= 5
        assert not any(one.overlaps(two) for place, one in enumerate(boxes) for two in boxes[:place])


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


def logged(runs: list[Run], steps: list[tuple[int, float, float]]) -> Run:
    """A BLUR run with a step for each (number, ||g_r|| / ||g_f||, cosine)."""
    run = replace(next(run for run in runs if (run.method, run.variant) == ("blur_npo", "default")))
    run.__dict__["steps"] = [
        {
            "step": n,
            "forget_norm": 2.0,
            "retain_norm": 2 * ratio,
            "cosine": c,
            "xi": 1 - ratio * c,
            "inner": 4 * ratio * c,
        }
        for n, ratio, c in steps
    ]
    return run


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


def test_geometry_needs_a_run_whose_gradient_is_not_zero(runs: list[Run]) -> None:
    run = replace(next(run for run in runs if run.method == "blur_npo"))
    run.__dict__["steps"] = [{"step": 1, "forget_norm": 0.0, "retain_norm": 1.0, "cosine": None, "xi": None}]
    assert data("geometry", [run]) == []


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


@pytest.mark.parametrize("name", ["front", "tradeoff", "trajectories"])
def test_intervals_end_where_the_metric_does(name: str, runs: list[Run]) -> None:
    def thin(run: Run) -> Run:
        values = {key: 0.5 * run.seed if key.startswith(("forget", "model")) else v for key, v in run.metrics.items()}
        wide = replace(run, metrics=run.metrics if run.is_reference else values)
        epochs = [{"epoch": e, "forget_probability": run.seed / 2, "retain_probability": run.seed / 2} for e in (0, 1)]
        wide.__dict__["trajectory"] = [] if run.is_reference else epochs
        return wide

    figure = draw(name, [thin(run) for run in runs])
    assert "cut to [0, 1]" in texts(figure)
    axes = figure.axes[0]
    spans = [point for part in axes.collections for path in part.get_paths() for point in path.vertices.tolist()]
    spans += [point for line in axes.lines if line.get_gid() is None for point in line.get_xydata().tolist()]
    assert spans
    inside = [0.0 <= point[1] <= 1.0 and (name == "trajectories" or 0.0 <= point[0] <= 1.0) for point in spans]
    assert all(inside)


def test_only_metrics_between_zero_and_one_have_ends() -> None:
    assert style.bounds("forget_rouge", [0.2, None, 1.0]) == (0, 1)
    for metric, values in (("privleak", [0.5]), ("general_perplexity", [1.0]), ("loss", [0.5, 2.0]), ("x", [])):
        assert style.bounds(metric, values) == (-math.inf, math.inf)


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


def test_tradeoff_legend_is_below_the_title_and_references_are_the_largest(runs: list[Run]) -> None:
    figure = draw("tradeoff", runs)
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend()
    assert legend is not None
    (title,) = [text for text in figure.texts if text.get_text().startswith("T:")]
    assert legend.get_window_extent().y1 <= title.get_window_extent().y0
    sizes = {str(line.get_gid()): line.get_markersize() for line in figure.axes[0].lines if line.get_gid()}
    others = [size for gid, size in sizes.items() if gid.split("/")[0] not in ("target", "retrained")]
    assert sizes["retrained/default"] > 1.5 * max(others)


def test_front_names_settings_in_which_the_pair_differs(runs: list[Run]) -> None:
    faster = {"optimizer": {"name": "adamw", "lr": 3e-4}}
    other = [replace(r, settings={**r.settings, **faster}) if r.method == "npo_gdr" else r for r in runs]
    assert "Same losses" in texts(draw("front", runs))
    assert "differs also in: optimizer.lr" in texts(draw("front", other))


def test_trajectories_draw_means_over_seeds_and_the_references(runs: list[Run]) -> None:
    rows, figure = data("trajectories", runs), draw("trajectories", runs)
    own = [row for row in rows if row["method"] == "npo_gdr"]
    above, below = lines(figure, "npo_gdr")
    assert above == ([row["epoch"] for row in own], [row["forget_probability"] for row in own])
    assert below[1] == [row["retain_probability"] for row in own]
    kept = [r.trajectory[3]["retain_probability"] for r in runs if (r.method, r.variant) == ("npo_gdr", "default")]
    assert own[3]["retain_probability"] == pytest.approx(sum(kept) / 3)
    target = next(run for run in runs if run.method == "target")
    assert lines(figure, "target")[0][1] == [target.metrics["forget_probability"]] * 2


def test_a_run_without_trajectory_is_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "npo", "default", 0)
    (folder / "trajectory.json").unlink()
    write_run(tmp_path, "npo_gdr", "default", 0)
    rows = data("trajectories", read_runs([tmp_path / "metrics"]))
    assert {row["method"] for row in rows} == {"npo_gdr"}


def test_every_figure_has_a_caption() -> None:
    folder = Path(__file__).parents[2] / "workflow" / "report"
    assert {path.stem for path in folder.glob("*.rst")} >= {*NAMES, "results", "workflow"}
