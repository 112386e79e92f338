"""DVC stores, Snakemake schedules: commit, push, clone, pull, and the clone has nothing to do."""

from __future__ import annotations

import json
import re

import pytest

from tests.workflow.cases import CASES
from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow


def test_a_clone_has_nothing_to_do_and_redraws_figures(pulled: Workspace) -> None:
    assert pulled.plan() == set()
    figure = pulled.root / "results/ci/figures/tofu/tradeoff.png"
    before = figure.read_bytes()
    target = "results/ci/figures/tofu/tradeoff.png"
    done = pulled.run("snakemake", target, "--forcerun", "figure_tradeoff", "--config", "scale=ci")
    assert "1 of 1 steps" in done.stdout + done.stderr
    assert figure.read_bytes() == before


def test_pull_refuses_unsaved_results_and_lists_them(pulled: Workspace) -> None:
    metrics = pulled.root / "results/ci/metrics/tofu/graddiff/default/seed0/metrics.json"
    before = metrics.read_text()
    metrics.write_text(before + " ")
    done = pulled.run("blur", "pull", "--scale", "ci", check=False)
    assert done.returncode == 2
    assert "results/ci/metrics/tofu/graddiff/default/seed0/metrics.json" in done.stderr
    assert metrics.read_text() == before + " ", "nothing was touched"
    metrics.write_text(before)


def test_a_dropped_or_spoilt_output_is_planned_again(pulled: Workspace) -> None:
    """An output whose content is not what its record was made for gets no record, and loses its manifest."""
    path = pulled.root / "results/ci/provenance/records.json"
    before = path.read_text()
    records = json.loads(before)
    name = "results/ci/evaluation/tofu/npo/default/seed0/manifest.json"
    records["records"][name]["sha256"] = "0" * 64
    path.write_text(json.dumps(records))
    code = "from blur.workflow.records import import_provenance; print(import_provenance('ci')[1])"
    assert pulled.run("python", "-c", code).stdout.strip() == str([name])
    path.write_text(before)


def test_metrics_and_params_diff_say_what_changed(committed: Workspace) -> None:
    with committed.changed("config/methods/blur_npo.yaml", "gamma: 1.0}\nvariants", "gamma: 1.5}\nvariants"):
        diff = json.loads(committed.run("dvc", "params", "diff", "--json").stdout)
        changes = diff["config/methods/blur_npo.yaml"]
        assert changes["settings.combine.gamma"] == {"old": 1.0, "new": 1.5, "diff": 0.5}
        assert set(diff) == {"config/methods/blur_npo.yaml"}
        committed.snakemake("all")
        diff = json.loads(committed.run("dvc", "metrics", "diff", "--json").stdout)
        changed = json.dumps(diff)
        assert "blur_npo" in changed
        assert "npo_gdr/matched" in changed, "its lambda is matched to the run that changed"
        assert "simnpo" not in changed
    committed.snakemake("all")


def test_repro_runs_what_snakemake_plans(committed: Workspace) -> None:
    case = next(case for case in CASES if case.name == "one loss's source file")
    with case.change(committed):
        planned = committed.plan()
        assert planned == case.jobs
        done = committed.run("dvc", "repro", "figures@ci", timeout=1200)
        finished = re.findall(r"^\s*(?:local)?rule (\w+):", done.stdout + done.stderr, re.M)
        ran = [rule for rule in finished if not rule.startswith("all")]
        assert sorted(ran) == sorted(job.split()[0] for job in planned)
        assert committed.plan() == set()
    committed.snakemake("all")
