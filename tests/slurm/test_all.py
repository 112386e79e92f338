"""`snakemake --profile slurm all` through a real SLURM."""

from __future__ import annotations

import re

import pytest

from tests.slurm.conftest import GPUS, SlurmWorkspace, accounted

pytestmark = pytest.mark.slurm


@pytest.fixture(params=["short", pytest.param("finished", marks=pytest.mark.long)])
def whole(request: pytest.FixtureRequest) -> tuple[SlurmWorkspace, float]:
    """A workspace in which everything was made, and when that began. CI runs the short one."""
    made: tuple[SlurmWorkspace, float] = request.getfixturevalue(request.param)
    return made


def test_all_is_made_and_nothing_is_left_to_do(whole: tuple[SlurmWorkspace, float]) -> None:
    workspace, _ = whole
    assert workspace.path("metrics", "blur_npo").joinpath("metrics.json").is_file()
    done = workspace.run("snakemake", "--profile", "slurm", "all", "--dry-run", *workspace.options)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_each_job_has_its_gpus_and_one_process(whole: tuple[SlurmWorkspace, float]) -> None:
    workspace, began = whole
    said = (workspace.root / "snakemake.out").read_text()
    rules = dict(re.findall(r"slurm_logs/rule_(\w+?)/.*?(\d+)\.log", said))
    rule_of = {number: rule for rule, number in re.findall(r"slurm_logs/rule_(\w+)/\S*?(\d+)\.log", said)}
    assert set(rules) == {*GPUS, "base"}
    rows = accounted(began)
    whole = {row["JobID"]: row for row in rows if "." not in row["JobID"] and row["JobID"] in rule_of}
    steps = [row for row in rows if row["JobID"].endswith(".0") and row["JobID"][:-2] in rule_of]
    assert len(whole) == len(rule_of) == len(steps)
    for number, row in whole.items():
        granted = re.search(r"gres/gpu=(\d+)", row["AllocTRES"])
        assert int(granted[1] if granted else 0) == GPUS.get(rule_of[number], 0), row
        assert row["State"] == "COMPLETED"
    assert {step["NTasks"] for step in steps} == {"1"}
