"""Every command that the README and the page on attacks show works as typed; the long ones are planned, not run."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.workflow.conftest import ROOT, Workspace

pytestmark = pytest.mark.workflow


def commands() -> list[str]:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/attacks.md")]
    blocks = [block for page in pages for block in re.findall(r"```bash\n(.*?)```", page, re.S)]
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("source")]


def test_the_readme_shows_commands() -> None:
    assert {"make demo", "make test", "snakemake --profile slurm all"} <= set(commands())


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_works(finished: Workspace, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "snakemake" and "-n" not in words:
        words.append("--dry-run") if "--config" not in words else words.insert(1, "--dry-run")
    if words[0] == "make":
        words.insert(1, "--dry-run")
    if "tofu_local" in command and not (ROOT.parent / "shared/data/tofu").is_dir():
        pytest.skip("the real TOFU files are not here")
    if "tofu_local" in command:
        finished.run("ln", "-sfn", str(ROOT.parent / "shared"), str(finished.root.parent / "shared"))
    if words[:2] == ["blur", "show"]:
        words += ["--scale", "ci"]
    done = finished.run(*words)
    assert "Error" not in done.stdout + done.stderr
