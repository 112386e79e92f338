"""A module or program that is not there is told with the extra that brings it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from blur.core import extras

ROOT = Path(__file__).parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIPELINE = DECLARED["optional-dependencies"]["pipeline"]


@pytest.fixture(autouse=True)
def _as_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout's extras, whichever version of it is installed."""
    told = [f"{one.replace('>', ' >', 1)}; extra == 'pipeline'" for one in PIPELINE]
    monkeypatch.setattr(extras, "requires", lambda name: [*DECLARED["dependencies"], *told])


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'lm_eval.evaluator'", name="lm_eval.evaluator"),
        ModuleNotFoundError("No module named 'wandb'", name="wandb"),
        FileNotFoundError(2, "No such file or directory", "dvc"),
    ],
)
def test_the_extra_is_named(error: Exception) -> None:
    assert "is not installed. Type `pip install 'blur-unlearning[pipeline]'`" in str(extras.lacking(error))


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'torch'", name="torch"),
        ImportError("broken", name="wandb"),
        FileNotFoundError(2, "No such file or directory", "results/x"),
        ValueError("no"),
    ],
)
def test_other_errors_are_not_its_to_tell(error: Exception) -> None:
    assert extras.lacking(error) is None


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['lm_eval'] = None\n"
        "import importlib.metadata as m; m.requires = lambda name: ['lm-eval>=0.4; extra == \"pipeline\"']\n"
        "from blur import cli; sys.argv = ['blur', 'check', '--scale', 'paper']; cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr == ("blur: error: lm_eval is not installed. Type `pip install 'blur-unlearning[pipeline]'`\n"), (
        done.stderr[-2000:]
    )


def test_what_the_core_needs_has_nothing_of_the_graph() -> None:
    names = {one.split(">")[0].split("=")[0] for one in DECLARED["dependencies"]}
    assert not names & {"snakemake", "dvc", "lm-eval", "wandb", "snakemake-executor-plugin-slurm"}
    assert {"torch", "transformers", "peft", "huggingface-hub"} <= names
