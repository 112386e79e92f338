"""What needs no model imports no torch: start-up is most of such a job's time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "transformers", "tokenizers", "lm_eval", "wandb", "datasets", "sklearn", "pandas", "nltk", "scipy"}
NUMERIC, DRAWING = {"numpy", "pyarrow"}, {"matplotlib"}
# Import all modules that a stage's jobs can reach, which are those that their keys' fingerprints cover.
REACHED = """
from importlib import import_module
from blur import cli
from blur.config import stages
from blur.config.plan import Plan
from blur.core.fingerprint import closure
roots = set()
stages.base.fingerprint = lambda found: roots.update(found) or ""
plan = Plan("config", {"scale": "ci"})
for task in plan.tasks:
    for job in stages.STAGES[STAGE].jobs(plan, task):
        stages.STAGES[STAGE].key(plan, job)
assert f"blur.stages.{STAGE}" in roots
for name in closure(roots):
    import_module(name)
"""
# Run a command of the command line.
COMMAND = "from blur.cli import app\napp(COMMAND.split(), standalone_mode=False)\n"
TELL = "import sys\nprint('imported:', *{name.partition('.')[0] for name in sys.modules})"


def imported(code: str, folder: Path = ROOT) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code + TELL], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("imported:")[2].split())


@pytest.mark.parametrize(
    ("stage", "unneeded"),
    [
        ("data", NUMERIC | DRAWING),
        ("metrics", DRAWING),
        ("attack_metrics", DRAWING),
        ("figures", set()),
        ("table", DRAWING),
        ("robustness", DRAWING),
    ],
)
def test_a_stage_that_runs_no_model_imports_no_torch(stage: str, unneeded: set[str]) -> None:
    assert not imported(f"STAGE = {stage!r}\n{REACHED}") & (HEAVY | unneeded)


def test_a_weight_is_matched_without_torch() -> None:
    """The stage's other kinds run models: what they need is imported when they need it."""
    assert not imported("import blur.stages.derive, blur.derived.matched_lambda\n") & (HEAVY | NUMERIC | DRAWING)


@pytest.mark.parametrize(
    "command", ["check --scale ci", "plan --scale ci", "data --scale ci --task tofu", "methods", "schemas"]
)
def test_a_command_that_runs_no_model_imports_no_torch(command: str, tmp_path: Path) -> None:
    (tmp_path / "config").symlink_to(ROOT / "config")
    (tmp_path / "workflow/schemas").mkdir(parents=True)
    assert not imported(f"COMMAND = {command!r}\n{COMMAND}", tmp_path) & (HEAVY | DRAWING)


def test_what_surrounds_the_graph_imports_no_torch() -> None:
    modules = ("records", "resources", "resume", "show", "store", "sweep", "verify")
    assert not imported("".join(f"import blur.workflow.{name}\n" for name in modules)) & (HEAVY | DRAWING)
