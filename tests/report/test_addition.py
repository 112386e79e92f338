"""A new figure is one module, a caption and a few lines of YAML; no other line is edited."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = '''
"""Steps that each run took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from blur.core.settings import MethodName
from blur.report import style
from blur.report.figures.base import FigureBase, Row
from blur.report.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    method: MethodName
    width: float = 3.0

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return a row per run of the method."""
        return [{"seed": run.seed, "steps": len(run.steps)} for run in runs if run.method == self.method]

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``."""
        figure = style.figure(f"{title}: steps", self.width, 2.0)
        figure.subplots().plot([row["seed"] for row in rows], [row["steps"] for row in rows], "o")
        return figure
'''
ENTRY = "\n  length: {module: step_counts, runs: [{methods: [blur_npo]}], options: {method: blur_npo}}\n"
USE = """
import sys
from pathlib import Path
from blur.config.check import check
from blur.config.drawn import drawn, figure_runs
from blur.config.stages import STAGES
from blur.config.task import JobName
from blur.config.plan import Plan
from blur.report import figures
from blur.report.runs import read_runs
plan = Plan("config", {"scale": "ci"})
check(plan, "tofu")
assert "length" in drawn(plan, "tofu")
key = STAGES["figures"].settings(plan, JobName("tofu", figure="length"))
assert key["figure"] == {"name": "step_counts", "method": "blur_npo", "width": 3.0}
assert [run.method for run in figure_runs(plan, "tofu", "length")[0]] == ["blur_npo"]
figures.save(plan.figure("tofu", "length"), read_runs([Path(sys.argv[1])]), Path("drawn"), "T", "length")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "src/blur/report/figures/step_counts.py").write_text(MODULE.lstrip(), encoding="utf-8")
    benchmark = tmp_path / "config/benchmarks/tofu.yaml"
    benchmark.write_text(benchmark.read_text(encoding="utf-8").rstrip() + ENTRY, encoding="utf-8")
    return tmp_path


def used(checkout: Path, tree: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": "src"}
    command = [sys.executable, "-c", USE, str(tree)]
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)


def test_a_new_figure_is_planned_and_drawn(checkout: Path, tree: Path) -> None:
    done = used(checkout, tree)
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in (checkout / "drawn").glob("length.*")} == {".pdf", ".png", ".csv"}
    assert (checkout / "drawn/length.csv").read_text().startswith("seed,steps\n")


def test_a_wrong_option_of_it_is_told_before_any_job_naming_file_and_key(checkout: Path, tree: Path) -> None:
    file = checkout / "config/benchmarks/tofu.yaml"
    file.write_text(file.read_text().replace("{method: blur_npo}}\n", "{methd: blur_npo}}\n"), encoding="utf-8")
    assert (
        "tofu.yaml: figures.length.options: unknown key 'methd'. Did you mean 'method'?" in used(checkout, tree).stderr
    )
