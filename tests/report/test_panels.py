"""The figures of several panels: ablation, hierarchy, requests; and what their panels share."""

import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from scipy import stats

from blur.report import figures, panels
from blur.report.runs import Run, read_runs
from tests.report.drawn import Results, lines, texts
from tests.report.made_up import MUSE, WMDP
from tests.report.options import CHANCE, MUSE_METRICS, WMDP_METRICS, data, draw
from tests.report.results_tree import write_requests, write_run


def of(runs: list[Run], method: str, variant: str, metric: str) -> list[float]:
    """A metric of a run's seeds, in their order."""
    return [run.metrics[metric] or 0.0 for run in runs if (run.method, run.variant) == (method, variant)]


def titles_do_not_overlap(figure: Figure) -> None:
    figure.draw_without_rendering()
    for axes in (axes for axes in figure.axes if axes.get_visible() and axes.axison):
        shown = [*axes.texts, axes.xaxis.label, axes.yaxis.label, *axes.get_xticklabels()]
        boxes = [text.get_window_extent() for text in shown if text.get_text()]
        assert not any(one.overlaps(two) for place, one in enumerate(boxes) for two in boxes[:place])
        assert all(figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1 for box in boxes)


def test_ablation_has_the_mean_of_each_value_and_marks_the_default(all_runs: Results) -> None:
    runs = all_runs["muse"]
    rows = [row for row in data("ablation", runs, "muse") if row["metric"] == "knowmem_r"]
    means = {row["parameter"]: row for row in rows if row["kind"] == "mean"}
    assert list(means) == [0.25, 0.5, 1.0, 2.0, 4.0]
    values = of(runs, "blur_npo", "gamma4", "knowmem_r")
    low, high = stats.t.interval(0.95, 2, loc=statistics.fmean(values), scale=stats.sem(values))
    expected = (statistics.fmean(values), low, high)
    assert (means[4.0]["value"], means[4.0]["value_low"], means[4.0]["value_high"]) == pytest.approx(expected)
    assert [value for value, row in means.items() if row["default"]] == [1.0]
    assert {row["method"]: row["value"] for row in rows if row["kind"] == "reference"} == {
        "target": 0.93,
        "retrained": 0.92,
    }


def test_ablation_draws_its_rows_on_a_logarithmic_axis(all_runs: Results) -> None:
    rows, figure = data("ablation", all_runs["muse"], "muse"), draw("ablation", all_runs["muse"], "muse")
    for axes, metric in zip(figure.axes, MUSE_METRICS, strict=True):
        own = [row for row in rows if row["metric"] == metric and row["kind"] == "mean"]
        (drawn,) = [line for line in axes.lines if line.get_gid() == "blur_npo mean"]
        assert [list(xy) for xy in drawn.get_xydata()] == [[row["parameter"], row["value"]] for row in own]
        assert axes.get_xscale() == "log"
        assert [text.get_text() for text in axes.get_xticklabels()] == ["0.25", "0.5", "1", "2", "4"]
    assert [xs for xs, _ in lines(figure, "default")] == [[1.0]] * 4
    assert "Ringed: the default, γ = 1." in texts(figure)


def test_ablation_sweeps_lambda_as_well_and_leaves_the_matched_one_out(all_runs: Results) -> None:
    rows = data("ablation", all_runs["tofu"], method="npo_gdr", parameter="combine.lam")
    assert {row["parameter"] for row in rows if row["kind"] == "mean"} == {0.25, 0.5, 1.0, 2.0, 4.0}
    assert not [row for row in rows if str(row["variant"]).startswith("matched")]


def test_ablation_of_one_value_or_of_zero_is_drawn(all_runs: Results) -> None:
    runs = [run for run in all_runs["tofu"] if run.variant == "default"]
    assert {row.get("parameter") for row in data("ablation", runs)} == {1.0, None}
    zero = {"combine": {"name": "bilevel", "gamma": 0.0}}
    asked = [replace(r, settings=r.settings | zero, variant="g0") for r in runs if r.method == "blur_npo"]
    figure = draw("ablation", [*runs, *asked])
    assert figure.axes[0].get_xscale() == "linear"


def test_hierarchy_compares_within_a_seed(all_runs: Results) -> None:
    runs = all_runs["muse"]
    rows = [row for row in data("hierarchy", runs, "muse") if row["metric"] == "knowmem_f"]
    found = {row["combination"]: row for row in rows if row["kind"] == "difference"}
    assert list(found) == ["blur_npo - blur_npo/reversed", "blur_npo - npo_gdr"]
    both = zip(of(runs, "blur_npo", "default", "knowmem_f"), of(runs, "npo_gdr", "default", "knowmem_f"), strict=True)
    gaps = [one - two for one, two in both]
    row = found["blur_npo - npo_gdr"]
    half = stats.t.ppf(0.975, 2) * stats.sem(gaps)
    mean = statistics.fmean(gaps)
    assert (row["value"], row["value_low"], row["value_high"]) == pytest.approx((mean, mean - half, mean + half))
    figure = draw("hierarchy", runs, "muse")
    assert "bilevel − weighted: " in figure.axes[1].get_xlabel()
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["bilevel", "reversed", "weighted"]


def test_hierarchy_names_what_was_not_run(all_runs: Results) -> None:
    runs = [run for run in all_runs["tofu"] if run.variant != "reversed"]
    assert "Not run: blur_npo/reversed." in texts(draw("hierarchy", runs))
    without = [run for run in runs if run.method != "blur_npo"]  # and then there is nothing to subtract from
    assert not [row for row in data("hierarchy", without) if row["kind"] == "difference"]


def test_hierarchy_subtracts_common_seeds_only(all_runs: Results) -> None:
    runs = [run for run in all_runs["tofu"] if run.method != "npo_gdr" or run.seed == 2]
    found = [row for row in data("hierarchy", runs) if row["kind"] == "difference" and "npo_gdr" in row["combination"]]
    assert {row["n"] for row in found} == {1}
    assert {row["value_low"] for row in found} == {None}


def test_requests_start_from_the_target_and_count_the_folds(all_runs: Results) -> None:
    runs = all_runs["muse"]
    rows = [
        r for r in data("requests", runs, "muse") if r["metric"] == "knowmem_r" and r["request"] == "sustainability"
    ]
    line = {row["number"]: row["value"] for row in rows if row["method"] == "npo_gdr" and row["kind"] != "seed"}
    assert list(line) == [0, 1, 2, 3, 4]
    expected = [0.93, *(0.705 - 0.12 * number for number in range(4))]  # seeds 0 and 1 are 0.01 apart
    assert list(line.values()) == pytest.approx(expected)
    assert {row["method"] for row in rows if row["kind"] == "reference"} == {"retrained"}
    figure = draw("requests", runs, "muse")
    drawn = lines(figure, "npo_gdr mean")[1]
    assert drawn[1] == list(line.values())
    assert drawn[0] == pytest.approx([0, 1, 2, 3, 4], abs=0.2)


def test_the_benchmarks_own_request_may_be_the_first(tmp_path: Path) -> None:
    write_run(tmp_path, "target", "default", 0, bench=MUSE)
    for method in ("npo", "npo_gdr"):
        write_run(tmp_path, method, "default", 0, bench=MUSE)
    write_run(tmp_path, "npo_gdr", "scal3", 0, bench=MUSE)  # scal2 has not been run
    runs = read_runs([tmp_path / "metrics"])
    rows = data("requests", runs, "muse", scalability=["default", "scal2", "scal3"], sustainability=["default", "s2"])
    assert {(row["method"], row["request"]) for row in rows} == {("npo_gdr", "scalability")}
    assert [row["number"] for row in rows if row["metric"] == "knowmem_r" and row["kind"] != "seed"] == [0, 1, 3]


def test_requests_of_one_kind_have_one_column(tmp_path: Path) -> None:
    write_run(tmp_path, "retrained", "default", 0, bench=MUSE)
    runs = read_runs([write_requests(tmp_path, (0,))])
    figure = draw("requests", runs, "muse", scalability=[])
    assert len(figure.axes) == 3
    assert "scalability" not in texts(figure).lower()
    assert not [row for row in data("requests", runs, "muse") if row["kind"] == "start"]  # no target, no start


@pytest.mark.parametrize("bench", ["tofu", "muse", "wmdp"])
@pytest.mark.parametrize("name", ["ablation", "hierarchy", "requests"])
def test_no_text_of_a_panel_covers_another(name: str, bench: str, all_runs: Results) -> None:
    titles_do_not_overlap(draw(name, all_runs[bench], bench))


@pytest.mark.parametrize("name", ["ablation", "hierarchy", "trajectories", "tradeoff"])
def test_what_guessing_gives_is_a_line(name: str, all_runs: Results) -> None:
    assert "Dashed: guessing." in texts(draw(name, all_runs["wmdp"], "wmdp"))
    figure = draw(name, all_runs["wmdp"], "wmdp")
    levels = lines(figure, "chance")
    assert len(levels) >= 3
    assert all(xs == [0.25, 0.25] or ys == [0.25, 0.25] for xs, ys in levels)
    assert lines(draw(name, all_runs["wmdp"], "wmdp", chance={}), "chance") == []
    rows = [row for row in data(name, all_runs["wmdp"], "wmdp") if row["kind"] == "chance"]
    assert {row.get("value", row.get("mmlu_acc", row.get("wmdp_bio_acc"))) for row in rows} - {None} == {0.25}


def test_tradeoff_has_a_panel_for_each_forget_metric(all_runs: Results) -> None:
    rows, figure = data("tradeoff", all_runs["wmdp"], "wmdp"), draw("tradeoff", all_runs["wmdp"], "wmdp")
    for axes, metric in zip(figure.axes, ("wmdp_bio_acc", "wmdp_cyber_acc"), strict=True):
        (row,) = [row for row in rows if row.get("panel") == metric and row["method"] == "blur_rmu"]
        (drawn,) = [line for line in axes.lines if line.get_gid() == "blur_rmu/default"]
        assert drawn.get_xydata().tolist() == [[row["mmlu_acc"], row[metric]]]


def test_trajectories_have_a_row_for_each_metric(all_runs: Results) -> None:
    figure = draw("trajectories", all_runs["wmdp"], "wmdp")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == len(WMDP_METRICS) * 4  # four forget losses
    assert "MMLU accuracy\n(higher is better)" in [axes.get_ylabel() for axes in shown]
    assert "WMDP bio accuracy\n(lower is better)" in [axes.get_ylabel() for axes in shown]


def test_a_metric_over_a_hundred_decades_gets_a_logarithmic_axis(all_runs: Results) -> None:
    runs = [run for run in all_runs["tofu"] if run.variant == "default" or run.method == "blur_npo"]
    values = iter(range(10**6))
    far = [replace(r, metrics=r.metrics | {"general_perplexity": 1.5 + 10.0 ** (next(values) % 130)}) for r in runs]
    figure = draw("ablation", far, metrics=["general_perplexity", "model_utility"])
    titles_do_not_overlap(figure)
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    low, high = figure.axes[0].get_ylim()
    rows = [row for row in data("ablation", far, metrics=["general_perplexity"]) if row["kind"] != "seed"]
    assert all(low < row["value"] < high for row in rows)


def test_p_values_have_a_logarithmic_axis_and_no_interval(all_runs: Results) -> None:
    rows = data("ablation", all_runs["tofu"], metrics=["forget_quality"])
    assert not [row for row in rows if "value_low" in row]
    figure = draw("ablation", all_runs["tofu"], metrics=["forget_quality"])
    assert figure.axes[0].get_yscale() == "log"
    zero = [
        replace(run, metrics=run.metrics | {"forget_quality": 0.0 if run.seed else 1e-9}) for run in all_runs["tofu"]
    ]
    some = [replace(run, metrics=run.metrics | {"forget_quality": 1.0}) if run.is_reference else run for run in zero]
    assert draw("ablation", some, metrics=["forget_quality"]).axes[0].get_yscale() == "symlog"


def test_an_undefined_seed_is_left_out_of_its_mean(tmp_path: Path) -> None:
    for seed, value in enumerate((0.2, math.nan, 0.4)):
        write_run(tmp_path, "blur_npo", "default", seed, bench=MUSE, verbmem_f=value)
    runs = read_runs([tmp_path / "metrics"])
    (mean,) = [row for row in panels.points(runs, "verbmem_f") if row["kind"] == "mean"]
    assert (mean["value"], mean["n"]) == (pytest.approx(0.3), 2)
    assert [row["seed"] for row in panels.points(runs, "verbmem_f") if row["kind"] == "seed"] == [0, 2]


def test_levels_are_those_of_target_retrained_and_guessing(tmp_path: Path) -> None:
    for method in ("target", "retrained"):
        write_run(tmp_path, method, "default", 0, bench=WMDP)
    rows = panels.levels(read_runs([tmp_path / "metrics"]), "mmlu_acc", CHANCE)
    assert [(row["kind"], row["title"], row["value"]) for row in rows] == [
        ("reference", "Target", 0.81),
        ("reference", "Retrained", 0.80),
        ("chance", "Chance", 0.25),
    ]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tradeoff", {"utility": "knowmem_r"}, "'forget' is missing"),
        ("tradeoff", {"forget": ["x"], "utility": "y", "metrics": ["x"]}, "no parameter 'metrics'"),
        ("geometry", {}, "'method' is missing"),
        ("requests", {}, "'metrics' is missing"),
    ],
)
def test_missing_and_misspelt_options_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        figures.build(name, options)
