"""The folder of `blur init` plans its jobs through our Snakefile as a module, from a checkout and from a wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.config.test_own import CHAT, write_model
from tests.workflow.conftest import ROOT, copy_checkout, parse_jobs

pytestmark = pytest.mark.workflow


def planned(tmp_path: Path, source: Path) -> set[str]:
    """The jobs that `snakemake -n all` shows in such a folder, with the `blur` of a source folder."""
    write_model(tmp_path / "model", CHAT)
    for name in ("forget", "keep"):
        (tmp_path / f"{name}.csv").write_text(f"question,answer\nWhat of {name}?,This.\nAnd more of {name}?,That.\n")
    env = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    options = [f"--{name}={tmp_path}/{name}{'' if name == 'model' else '.csv'}" for name in ("model", "forget", "keep")]
    for command, where in (
        ([sys.executable, "-m", "blur.cli", "init", "work", *options], tmp_path),
        (["snakemake", "-n", "all"], tmp_path / "work"),
    ):
        done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    told = done.stdout + done.stderr
    assert re.search(r"^total +\d+", told, re.M)
    return set(parse_jobs(told))


def check(jobs: set[str]) -> None:
    assert {"unlearn mine/blur_npo/default/seed0", "unlearn mine/blur_npo/lr1e-4/seed100", "table mine"} <= jobs
    assert "attack mine/blur_npo/default/relearn/seed0" in jobs


def test_it_plans_its_jobs_from_a_checkout(tmp_path: Path) -> None:
    check(planned(tmp_path, ROOT / "src"))


@pytest.mark.long
def test_it_plans_its_jobs_from_a_wheel(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    copy_checkout(tmp_path / "clone")
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(tmp_path), "."]
    subprocess.run([sys.executable, "-m", *build], cwd=tmp_path / "clone", check=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    check(planned(tmp_path, tmp_path / "site"))
