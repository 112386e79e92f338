"""Every command that the README and the page on attacks show works as typed; the long ones are planned, not run."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.workflow.conftest import ROOT, Workspace, parse_jobs

pytestmark = pytest.mark.workflow


def commands() -> list[str]:
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/attacks.md")]
    blocks = [block for page in pages for block in re.findall(r"```bash\n(.*?)```", page, re.S)]
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("source")))


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
    done = finished.forked(*words[1:]) if words[0] == "snakemake" else finished.run(*words)
    output = done.stdout + done.stderr
    assert "Error" not in output
    if command == "snakemake --profile slurm all":
        assert re.search(r"^unlearn\s+\d+", output, re.M)
        assert "scale=paper" in output
        assert "results/ci" not in output


def test_the_command_itself_plans_what_its_child_does(finished: Workspace) -> None:
    """Other tests fork `snakemake` from a process that has imported it (forked.py)."""
    done = finished.run(*shlex.split("snakemake all --dry-run --forceall --config scale=ci task=rtt"))
    jobs = set(parse_jobs(done.stdout + done.stderr))
    assert jobs == set(parse_jobs(finished.forked(*done.args[1:]).stdout))
    assert "unlearn rtt/blur_npo/default/seed0" in jobs
