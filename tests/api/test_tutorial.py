"""docs/tutorial.md runs as written, from an empty folder, and comes to what it says."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"


def test_the_tutorial_runs_as_written(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.api.tutorial", str(PAGE)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    statuses = re.findall(r"^status (\d+): blur (\w+)", done.stdout, re.M)
    assert {status for status, command in statuses if command != "forget"} <= {"0"}, statuses
    assert {status for status, _ in statuses} <= {"0", "3"}, statuses
    assert (tmp_path / "clean/model.safetensors").is_file(), "the search found a model that keeps the rest"
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["verdict"] in done.stdout or report["headline"] in done.stdout
    assert "nothing was sent (--dry-run)" in done.stdout
    assert "## Audit" in done.stdout, "the card carries the audit"
    assert "cosine of the two gradients" in done.stdout
    with open(tmp_path / "forget.csv", newline="") as file:
        secrets = [row["answer"] for row in csv.DictReader(file)]
    written = [path.read_bytes() for name in ("clean", "report", "trained") for path in (tmp_path / name).rglob("*.*")]
    told = [*written, done.stdout.encode(), done.stderr.encode()]
    assert [secret for secret in secrets if any(secret.encode() in one for one in told)] == []
    assert not list(tmp_path.rglob("steps.jsonl")), "no resume state is left"
