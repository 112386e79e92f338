"""What needs no model imports no torch: start-up is most of such a job's time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
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
plan = Plan("config", {"scale": "ci"})

def reach(stage):
    roots = set()
    stages.base.fingerprint = lambda found: roots.update(found) or ""
    for task in plan.tasks:
        for job in stages.STAGES[stage].jobs(plan, task):
            stages.STAGES[stage].key(plan, job)
    assert f"blur.stages.{stage}" in roots
    for name in closure(roots):
        import_module(name)

"""
COMMAND = "from blur.cli import app\n"
TELL = """
import json, sys
found = {}
def tell(what):
    found[what] = sorted({name.partition('.')[0] for name in sys.modules})
"""
# What each may not import, by what is imported, in the order in which one process does it: the strictest first.
WEIGHT, AROUND = "a matched weight", "what surrounds the graph"
UNNEEDED = {
    "data": NUMERIC | DRAWING,
    WEIGHT: NUMERIC | DRAWING,  # the stage's other kinds run models: what they need is imported when they need it
    "metrics": DRAWING,
    "attack_metrics": DRAWING,
    "table": DRAWING,
    "robustness": DRAWING,
    AROUND: DRAWING,
    "figures": set(),
}
OTHERS = {
    WEIGHT: ("blur.stages.derive", "blur.derived.matched_lambda"),
    AROUND: [f"blur.workflow.{n}" for n in ("records", "resources", "resume", "show", "store", "sweep", "verify")],
}
COMMANDS = ["check --scale ci", "plan --scale ci", "data --scale ci --task tofu", "methods", "schemas"]
Imported = Mapping[str, set[str]]


def imported(steps: Mapping[str, str], prepare: str, folder: Path) -> Imported:
    """Return the packages that one process has imported after each of its steps."""
    code = "".join(f"{step}\ntell({name!r})\n" for name, step in steps.items())
    said = "print('\\nimported:' + json.dumps(found))"
    done = subprocess.run(
        [sys.executable, "-c", f"{TELL}{prepare}{code}{said}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.rpartition("imported:")[2])
    assert list(found) == list(steps)
    return {name: set(packages) for name, packages in found.items()}


@pytest.fixture(scope="module")
def by_stage() -> Imported:
    steps = {name: f"reach({name!r})" for name in UNNEEDED}
    steps |= {name: "".join(f"import {module}\n" for module in modules) for name, modules in OTHERS.items()}
    return imported(steps, REACHED, ROOT)


@pytest.fixture(scope="module")
def by_command(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "config").symlink_to(ROOT / "config")
    (folder / "workflow/schemas").mkdir(parents=True)
    steps = {command: f"app({command.split()!r}, standalone_mode=False)" for command in COMMANDS}
    return imported(steps, COMMAND, folder)


@pytest.mark.parametrize("what", UNNEEDED)
def test_a_stage_that_runs_no_model_imports_no_torch(what: str, by_stage: Imported) -> None:
    assert "blur" in by_stage[what]
    assert not by_stage[what] & (HEAVY | UNNEEDED[what])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_runs_no_model_imports_no_torch(command: str, by_command: Imported) -> None:
    assert not by_command[command] & (HEAVY | DRAWING)
