"""The useful share of a run: from made-up numbers, and of the finished run of the graph."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from blur.core.manifest import made
from blur.core.usage import VARIABLE
from blur.warm import client
from blur.warm.offer import VARIABLE as WARM
from blur.workflow import useful
from tests.workflow.conftest import Workspace

SCALE = "ci"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own; Snakemake has spent 20 seconds, a warm process 80."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv(WARM, "name:1:2")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(useful, "cpu_seconds", lambda: 20.0)
    monkeypatch.setattr(client, "usage", lambda address: {"name": 80.0}[address.name])
    return tmp_path


def job(useful_seconds: float, total: float) -> None:
    with open(os.environ[VARIABLE], "a", encoding="utf-8") as handle:
        handle.write(json.dumps({"stage": "train", "useful": useful_seconds, "total": total}) + "\n")


def test_what_jobs_say_over_what_all_processes_took(here: Path) -> None:
    useful.count(SCALE, is_local=True)
    assert useful.as_text(SCALE) is None
    job(60, 62)
    job(10, 13)
    useful.sum_up(SCALE, client.spent)
    told = "100 CPU seconds: 70% useful work, 5% start-up of jobs, 25% Snakemake and the warm process"
    assert useful.as_text(SCALE) == f"The last run (2 jobs) took {told}"
    assert [path.name for path in (here / "work/ci").iterdir()] == ["usage.json"]
    assert VARIABLE not in os.environ


def test_without_a_warm_process_snakemake_s_children_are_all(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WARM)
    useful.count(SCALE, is_local=True)
    job(5, 10)
    useful.sum_up(SCALE, client.spent)
    assert "(1 job) took 20 CPU seconds: 25% useful work, 25% start-up" in str(useful.as_text(SCALE))


def test_a_run_that_does_nothing_leaves_the_figures_of_the_last_one(here: Path) -> None:
    useful.count(SCALE, is_local=True)
    job(60, 62)
    useful.sum_up(SCALE, client.spent)
    before = useful.as_text(SCALE)
    useful.sum_up(SCALE, client.spent)
    assert useful.as_text(SCALE) == before is not None


def test_of_a_cluster_s_run_nothing_is_told(here: Path) -> None:
    useful.count(SCALE, is_local=True)
    job(60, 62)
    useful.sum_up(SCALE, client.spent)
    useful.count(SCALE, is_local=False)
    assert VARIABLE not in os.environ
    useful.sum_up(SCALE, client.spent)
    assert useful.as_text(SCALE) is None


def test_of_a_run_whose_warm_process_was_killed_nothing_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "usage", lambda address: 0.0)
    useful.count(SCALE, is_local=True)
    job(60, 62)
    useful.sum_up(SCALE, client.spent)
    assert useful.as_text(SCALE) is None


@pytest.mark.workflow
def test_the_finished_run_says_what_its_processor_time_went_into(copied: Workspace) -> None:
    spent = json.loads((copied.root / "work/ci/usage.json").read_text())
    manifests = [
        path
        for folder in ("data/ci", "results/ci")
        for path in (copied.root / folder).rglob("manifest.json")
        if "epochs" not in path.parts  # which are the model's job's
    ]
    assert spent["num_jobs"] == len(manifests)
    taken = sum(made(path.parent)["cost"]["cpu_seconds"] for path in manifests)
    assert 0 < spent["useful"] < spent["jobs"] < spent["total"]
    assert taken < spent["jobs"] < 1.5 * taken
    assert not list((copied.root / "work/ci").glob("usage.*.jsonl"))
    text = copied.run("blur", "show", "--scale", SCALE).stdout
    assert re.search(rf"\({spent['num_jobs']} jobs\) took \d+ CPU seconds: \d+% useful work", text)
