import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.text import Text

from blur.core.choice import available
from blur.report import figures, style
from blur.report.rows import to_csv
from blur.report.runs import Run, read_runs
from tests.report.drawn import Results, lines, texts
from tests.report.made_up import METHODS
from tests.report.options import TOFU, data, draw, made
from tests.report.results_tree import write_run

NAMES = sorted(TOFU)
LONG = pytest.mark.long


def test_the_names_are_the_modules() -> None:
    assert list(available("blur.report.figures")) == NAMES
    with pytest.raises(ValueError, match="did you mean 'tradeoff'"):
        figures.build("trade", {})


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_runs_changes_no_row(name: str, all_runs: Results) -> None:
    bench = "muse" if name == "requests" else "tofu"
    rows = data(name, all_runs[bench], bench)
    assert rows == data(name, all_runs[bench][::-1], bench)
    assert rows


@pytest.mark.parametrize("name", [name if name == "claims" else pytest.param(name, marks=LONG) for name in NAMES])
def test_same_runs_in_any_order_give_the_same_bytes(name: str, tmp_path: Path, all_runs: Results) -> None:
    """In CI of one figure: what others save is drawn from rows, by one function."""
    runs = all_runs["muse" if name == "requests" else "tofu"]
    figure = made(name, "muse" if name == "requests" else "tofu")
    first = figures.save(figure, runs, tmp_path / "a", "T", name)
    second = figures.save(figure, runs[::-1], tmp_path / "b", "T", name)
    assert [path.name for path in first] == [f"{name}.pdf", f"{name}.png", f"{name}.csv"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert b"CreationDate" not in first[0].read_bytes()
    assert first[1].read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in first)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "case", ["none", "references", pytest.param("one seed", marks=LONG), "one run", "undefined", "equal", "huge"]
)
def test_edge_cases_are_drawn(name: str, case: str, all_runs: Results) -> None:
    """In CI one run stands for one seed: it has one."""
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


@pytest.mark.parametrize("bench", ["tofu", pytest.param("muse", marks=LONG), pytest.param("wmdp", marks=LONG)])
@pytest.mark.parametrize("name", NAMES)
def test_text_is_at_least_eight_points(name: str, bench: str, all_runs: Results) -> None:
    """In CI of TOFU's figures: the others are drawn by the same functions."""
    figure = draw(name, all_runs[bench], bench)
    found = figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    assert min(text.get_fontsize() for text in found if text.get_text()) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_csv_has_the_rows_in_full_precision(name: str, all_runs: Results) -> None:
    rows = data(name, all_runs["tofu"])
    read = list(csv.DictReader(io.StringIO(to_csv(rows))))
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


@pytest.mark.parametrize(("axis", "name"), [("scope", "saliency"), ("wrapper", "lora")])
def test_a_method_that_moves_few_weights_is_hollow_and_its_base_is_not(axis: str, name: str, runs: list[Run]) -> None:
    run = next(run for run in runs if run.method == "npo_gdr")
    narrow = replace(run, settings={**run.settings, axis: {"name": name}})
    assert style.look(narrow).hollow
    assert not style.look(run).hollow
    assert style.look(narrow).colour == style.look(run).colour
