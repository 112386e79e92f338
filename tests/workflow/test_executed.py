"""What a stage really runs, its fingerprint covers: noted in every job of the finished run (``executed``)."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES as RECORDS
from blur.core.fingerprint import LEFT_OUT, closure
from tests.workflow.conftest import ROOT, Workspace

pytestmark = pytest.mark.workflow
STAGES = {"attack", "attack_metrics", "base", "data", "evaluate", "figures", "derive", "metrics"} | {
    "robustness", "table", "train", "unlearn",
}  # fmt: skip


def test_every_module_that_a_stage_runs_is_covered_by_its_fingerprint(made: Workspace) -> None:
    ran, roots = defaultdict[str, set[str]](set), defaultdict[str, set[tuple[str, ...]]](set)
    for path in (made.root.parent / "executed").glob("*.jsonl"):
        for fact in map(json.loads, path.read_text().splitlines()):
            job = " ".join((Path(fact["job"][0]).name, *fact["job"][1:]))
            if "module" in fact:
                ran[job].add(fact["module"])
            else:
                roots[job].add(tuple(fact["roots"]))
    plan = Plan(ROOT / "config", {"scale": "ci"})
    jobs = [job for task in plan.tasks for stage in RECORDS.values() for job in stage.jobs(plan, task)]
    assert len(ran) == len(jobs)
    covered = {job: closure(named) for job in ran for (named,) in [roots[job]]}
    assert {name.rpartition(".")[2] for found in ran.values() for name in found if name.count(".") == 2} >= STAGES
    assert {job: found for job in ran if (found := ran[job] - covered[job] - LEFT_OUT.keys())} == {}
