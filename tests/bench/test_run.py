"""What the benchmark of start-up, useful share and planning asks for is there, and its sums are right."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from blur.bench import run as bench
from blur.config.drawn import drawn
from blur.config.plan import Plan
from blur.core.usage import VARIABLE
from blur.warm.offer import Address

ADDRESS = Address("name", 1, "2")


def test_the_small_graph_has_a_job_of_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(bench.ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    bench.lessen()
    plan = Plan("config", {"scale": bench.SCALE})
    assert list(plan.tasks) == [bench.TASK]
    assert [run.method for run in plan.runs(bench.TASK)] == ["npo_gdr", "blur_npo"]
    attacked = [(run.method, attack) for run, attack in plan.attacks.pairs(bench.TASK)]
    assert attacked == [(method, "quantization") for method in ("target", "retrained", "blur_npo")]
    assert set(plan.attacks.settings(bench.TASK, "quantization").model_dump()["arms"]) == {bench.ARM}
    assert drawn(plan, bench.TASK)


def test_start_up_is_all_that_was_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, manifest = tmp_path / "usage.jsonl", tmp_path / "manifest.json"
    manifest.write_text("{}")
    blur = tmp_path / "blur"
    blur.write_text(f'#!/bin/sh\n[ "$*" = "data --task x" ] && echo \'{{"useful": 1.5}}\' >> ${VARIABLE}\n')
    blur.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv(VARIABLE, str(lines))
    monkeypatch.setattr(bench, "cpu_seconds", iter([10.0, 13.0]).__next__)
    monkeypatch.setattr(bench, "usage", lambda address, values=iter([2.0, 4.0]): next(values))
    assert bench.start_up(lines, ADDRESS, manifest, ("data", "--task", "x"), 0) == 5.0 - 1.5
    assert not manifest.exists()


def test_planning_is_told_by_job_and_apart_from_jobs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_dry_run", lambda scale: f"total  {({'demo': 100, 'small': 600})[scale]}\nReasons:")
    monkeypatch.setattr(bench, "plan", lambda scale, number: {"demo": 4.0, "small": 9.0}[scale])
    bench.print_planning(rounds=2)
    assert "10.0 ms a job, and 3.00 s" in capsys.readouterr().out
