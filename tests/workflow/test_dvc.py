"""DVC stores, Snakemake schedules: commit, push, clone, pull, and the clone has nothing to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.workflow.cases import CASES
from tests.workflow.conftest import Workspace, copy

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("stored")]


def test_a_clone_has_nothing_to_do_and_redraws_figures(pulled: Workspace) -> None:
    assert pulled.plan() == set()
    figure = pulled.root / "results/ci/figures/tofu/tradeoff.png"
    before = figure.read_bytes()
    target = "results/ci/figures/tofu/tradeoff.png"
    done = pulled.snakemake(target, "--forcerun", "figure_tradeoff")
    assert "1 of 1 steps" in done.stdout
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


def test_params_diff_names_file_key_and_both_values(committed: Workspace) -> None:
    with committed.changed("config/methods/blur_npo.yaml", "gamma: 1.0}\nvariants", "gamma: 1.5}\nvariants"):
        diff = json.loads(committed.run("dvc", "params", "diff", "--json").stdout)
    assert set(diff) == {"config/methods/blur_npo.yaml"}
    assert diff["config/methods/blur_npo.yaml"]["settings.combine.gamma"] == {"old": 1.0, "new": 1.5, "diff": 0.5}


def test_repro_asks_snakemake_phase_by_phase_where_anything_changed(committed: Workspace) -> None:
    def asked() -> list[str]:
        return re.findall(r"^> (.+)$", committed.run("dvc", "repro", "--dry", "figures@ci").stdout, re.M)

    first, middle, last = ["all_data", "all_models", "all_evaluation"], ["all_metrics", "all_attacks"], ["all"]
    assert asked() == []
    with CASES[0].change(committed):
        phases = [command.removeprefix("snakemake ").removesuffix(" --config scale=ci") for command in asked()]
    # Metrics and attacks need nothing of each other: DVC takes whichever its sets give it first.
    assert phases in (first + middle + last, first + middle[::-1] + last)


@pytest.mark.long  # CI sees which commands DVC types (above), and what they plan (test_rerun)
@pytest.mark.parametrize(
    "name",
    [
        "a value in one method's YAML",
        "one loss's source file",
        "a value of one method on one task",  # attacks, and a matched lambda
    ],
)
def test_repro_runs_what_snakemake_plans_and_metrics_diff_names_what_changed(
    name: str, committed: Workspace, tmp_path: Path
) -> None:
    case = next(case for case in CASES if case.name == name)
    workspace = copy(committed, tmp_path / "checkout")
    with case.change(workspace):
        planned = workspace.plan()
        assert planned == case.jobs
        done = workspace.run("dvc", "repro", "figures@ci")
        finished = re.findall(r"^\s*(?:local)?rule (\w+):", done.stdout + done.stderr, re.M)
        ran = [rule for rule in finished if not rule.startswith("all")]
        assert sorted(ran) == sorted(job.split()[0] for job in planned)
        assert workspace.plan() == set()
        if name == "a value in one method's YAML":
            changed = json.loads(workspace.run("dvc", "metrics", "diff", "--json").stdout)
            assert set(changed) == {"results/ci/summary/tofu.json"}
            assert {key.split(".")[0] for key in changed["results/ci/summary/tofu.json"]} == {"ga_klr"}
