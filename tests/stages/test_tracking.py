"""What wandb is told: the numbers of ``steps.jsonl``, and nothing that takes long to find out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blur.stages.tracking import wandb_run

STEPS = [{"step": step, "forget_loss": 0.5 * step, "xi": None if step == 4 else 1.0 / step} for step in (3, 4, 5, 9)]
OFFLINE = """
import json, sys
from pathlib import Path
from blur.stages.tracking import wandb_run
assert "wandb" not in sys.modules
with wandb_run("offline", "blur", "ci/tofu/ga", {"lr": 0.1}, Path("runs")) as log:
    for record in json.loads(sys.argv[1]):
        log(record)
print(*[name for name in ("wandb", "wandb.sdk.launch", "wandb.apis.public") if name in sys.modules])
"""


def in_folder(folder: Path, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def read(folder: Path) -> list[dict[str, Any]]:
    """The records of the only run in a folder, by wandb's own reader."""
    (path,) = folder.rglob("*.wandb")
    lines = in_folder(folder, "-m", "wandb", "leet", "inspect", "--json", str(path)).splitlines()
    return [json.loads(line) for line in lines]


def test_an_offline_run_is_read_by_wandb_with_the_same_steps_and_numbers(tmp_path: Path) -> None:
    assert in_folder(tmp_path, "-c", OFFLINE, json.dumps(STEPS)).split() == ["wandb"]
    records = read(tmp_path)
    history = [record["history"] for record in records if record["type"] == "history"]
    assert [entry["step"]["num"] for entry in history] == [3, 4, 5, 9]
    told = [{key: entry["item"].get(key) for key in ("step", "forget_loss", "xi")} for entry in history]
    assert told == STEPS
    (run,) = [record["run"] for record in records if record["type"] == "run"]
    assert (run["project"], run["display_name"], run["config"]["update"]["lr"]) == ("blur", "ci/tofu/ga", 0.1)
    assert not list(tmp_path.rglob("requirements.txt"))
    assert records[-1]["type"] == "exit"


def test_disabled_wandb_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with wandb_run("disabled", "blur", "run", {}, tmp_path / "runs") as log:
        log(STEPS[0])
    assert not (tmp_path / "runs").exists()
