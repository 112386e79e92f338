"""docs/tutorial.md runs as written, from an empty folder, and comes to what it says."""

from __future__ import annotations

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
    said = dict(re.findall(r"^status (\d+): (blur \w+)", done.stdout, re.M)[::-1])
    assert set(re.findall(r"^status (\d+): blur (?:audit|push)", done.stdout, re.M)) <= {"0"}, said
    assert "status 2" not in done.stdout, done.stdout[-3000:]
    assert (tmp_path / "clean/model.safetensors").is_file(), "the search found a model that keeps the rest"
    report = json.loads((tmp_path / "report/report.json").read_text())
    assert report["verdict"] in done.stdout or report["headline"] in done.stdout
    assert "nothing was sent (--dry-run)" in done.stdout
    assert "## Audit" in done.stdout, "the card carries the audit"
    assert "cosine of the two gradients" in done.stdout
