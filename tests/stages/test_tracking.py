"""What wandb is told: the numbers of ``steps.jsonl``, labels to sort by, and nothing that takes long to find out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.paths import STEPS
from blur.stages.job import Job
from blur.stages.tracking import Labels, wandb_run

CONFIG = Path(__file__).resolve().parents[2] / "config"
FLOATS = (0.1 + 0.2, 5e-324, 1.7976931348623157e308, -1 / 3)
LOGGED = [
    {"step": step, "epoch": 1, "forget_loss": FLOATS[step % 4], "xi": None if step == 4 else 1.0 / step}
    for step in range(1, 6)
]
SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"
# Take steps as the loop does: each goes to its log, and then to wandb. Killed by itself where it is told to.
TRAIN = """
import json, os, signal, sys
from pathlib import Path
from types import SimpleNamespace as Having
from unittest.mock import patch
assert "wandb" not in sys.modules
from blur.stages.tracking import Labels, wandb_run
start, end = map(int, sys.argv[2:4])
state = Path("state"); state.mkdir(exist_ok=True)
log_file = state / "steps.jsonl"
kept = log_file.read_text().splitlines()[:start] if start else []
log_file.write_text("".join(line + "\\n" for line in kept))
job = Having(
    plan=Having(main=Having(tracking=Having(wandb="offline"))), settings={"lr": 0.1}, resume_folder=lambda: state
)
labels = Labels("blur", "tofu/own/ci", "ga/default/seed0", "unlearn", ("tofu", "ga", "default", "seed0"))
with patch.object(Labels, "of", lambda job: labels), wandb_run(job) as log:
    for record in json.loads(sys.argv[1])[start:end]:
        with log_file.open("a") as handle:
            handle.write(json.dumps(record) + "\\n")
        log(record)
    if "killed" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
print(*[name for name in ("wandb", "wandb.sdk.launch", "wandb.apis.public") if name in sys.modules])
"""


def train(folder: Path, start: int, end: int, *how: str) -> str:
    """Take the steps after ``start`` up to ``end`` in a process of its own; return what it prints."""
    command = [sys.executable, "-c", TRAIN, json.dumps(LOGGED), str(start), str(end), *how]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == (-9 if how else 0), done.stderr
    return done.stdout


def read(folder: Path) -> list[dict[str, Any]]:
    """The records of the only run in a folder, by wandb's own reader."""
    (path,) = folder.rglob("*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
    lines = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def assert_told(folder: Path) -> None:
    """The run that wandb reads has each step of ``steps.jsonl`` once, in order, with the same values."""
    expected = [json.loads(line) for line in (folder / "state" / STEPS).read_text().splitlines()]
    assert expected == LOGGED
    history = [record["history"] for record in read(folder) if record["type"] == "history"]
    assert [entry["step"]["num"] for entry in history] == [record["step"] for record in expected]
    told = [{name: value for name, value in entry["item"].items() if name[0] != "_"} for entry in history]
    assert told == [{name: value for name, value in record.items() if value is not None} for record in expected]


def test_an_offline_run_is_read_by_wandb_with_the_same_steps_numbers_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    assert train(tmp_path, 0, 5).split() == ["wandb"]
    assert_told(tmp_path)
    records = read(tmp_path)
    (run,) = [record["run"] for record in records if record["type"] == "run"]
    assert (run["project"], run["config"]["update"]["lr"]) == ("blur", 0.1)
    assert (run["run_group"], run["display_name"], run["job_type"]) == ("tofu/own/ci", "ga/default/seed0", "unlearn")
    assert run["tags"] == ["tofu", "ga", "default", "seed0"]
    assert not list(tmp_path.rglob("requirements.txt"))
    assert records[-1]["type"] == "exit"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("resumed_after", [2, 5])
def test_a_run_that_was_killed_and_carried_on_is_one_run_with_each_step_once(
    tmp_path: Path, resumed_after: int
) -> None:
    """The checkpoint is older than the last step that wandb was told, or is that of the last step of all."""
    train(tmp_path, 0, max(4, resumed_after), "killed")
    train(tmp_path, resumed_after, 5)
    assert_told(tmp_path)


def test_labels_are_those_of_the_job() -> None:
    plan = Plan(CONFIG, {"scale": "ci"})
    name = JobName("tofu", Run("tofu", "blur_npo", "default", 0))
    unlearn = Labels.of(Job(plan, STAGES["unlearn"], name, {}))
    assert unlearn == Labels(
        project="blur",
        group="tofu/tofu/ci",
        name="blur_npo/default/seed0",
        job_type="unlearn",
        tags=("tofu", "blur_npo", "default", "seed0"),
    )


def test_disabled_wandb_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.chdir(tmp_path)
    disabled: Any = SimpleNamespace(
        plan=SimpleNamespace(main=SimpleNamespace(tracking=SimpleNamespace(wandb="disabled")))
    )
    with wandb_run(disabled) as log:
        log(LOGGED[0])
    assert list(tmp_path.iterdir()) == []
