"""The finished run: the report, the table, the costs, and one stage typed by hand."""

from __future__ import annotations

import csv
import json
import re

import pytest

from tests.workflow.cases import ALL_RUNS, RUNS
from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow


def test_the_report_is_one_page_that_needs_no_network(finished: Workspace) -> None:
    finished.snakemake("all", "--report", "report.html")
    page = (finished.root / "report.html").read_text(encoding="utf-8")
    for name in ("tradeoff", "front", "alignment", "cosine_npo", "geometry", "trajectories"):
        assert f"{name}.png" in page
    assert "Error loading caption" not in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=.https?://", page)


def test_show_prints_every_method_and_what_it_cost(finished: Workspace) -> None:
    text = finished.run("blur", "show", "--scale", "ci").stdout
    for title in ("Target", "Retrained", "GradDiff", "GA-KLR", "NPO-GDR", "SimNPO", "BLUR-NPO"):
        assert title in text
    assert re.search(rf"^unlearn\s+{len(ALL_RUNS)}\s+[\d.]+\s+[\d.]+", text, re.M)
    assert "results/ci/figures" in text


def test_results_mean_something_at_this_scale(finished: Workspace) -> None:
    """The target knows the forget set, the retrained model does not, and both know the rest."""
    summary = json.loads((finished.root / "results/ci/summary/tofu.json").read_text())
    target, retrained = (summary[name] for name in ("target", "retrained"))
    assert target["forget_probability"] > 0.9
    assert target["forget_probability"] - retrained["forget_probability"] > 0.4
    assert abs(target["model_utility"] - retrained["model_utility"]) < 0.1 * target["model_utility"]
    assert summary["blur_npo"]["forget_probability"] < target["forget_probability"] - 0.3


def test_the_figure_s_csv_names_every_default_method(finished: Workspace) -> None:
    with open(finished.root / "results/ci/figures/tofu/tradeoff.csv", encoding="utf-8") as handle:
        methods = {row["method"] for row in csv.DictReader(handle)}
    assert methods == {"target", "retrained", "graddiff", "ga_klr", "npo", "npo_gdr", "simnpo", "blur_npo"}


def test_steps_are_logged_once_each_with_the_identity(finished: Workspace) -> None:
    path = finished.root / "results/ci/models/tofu/blur_npo/default/seed0/steps.jsonl"
    steps = [json.loads(line) for line in path.read_text().splitlines()]
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    for step in steps:
        ratio = step["retain_norm"] / step["forget_norm"]
        assert step["xi"] == pytest.approx(1.0 - step["cosine"] * ratio, rel=1e-6)


def test_a_stage_typed_by_hand_gives_the_same_weights(copied: Workspace) -> None:
    folder = copied.root / "results/ci/models/tofu/simnpo/default/seed0"
    before = json.loads((folder / "manifest.json").read_text())["files"]
    (folder / "manifest.json").unlink()
    done = copied.run("blur", "unlearn", "--scale", "ci", "--task", "tofu", "--method", "simnpo")
    assert re.search(r"step \d+/\d+", done.stderr)
    after = json.loads((folder / "manifest.json").read_text())["files"]
    assert after["model.safetensors"] == before["model.safetensors"]
    assert after["steps.jsonl"] == before["steps.jsonl"]


def test_wandb_is_offline_and_has_the_same_numbers(finished: Workspace) -> None:
    runs = list((finished.root / "work/wandb").rglob("*.wandb"))
    assert len(runs) == len(ALL_RUNS) + 2 * len(RUNS)
