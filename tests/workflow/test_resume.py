"""Kill -9 of the worker, and of Snakemake with its worker alive: one writer, and the same final weights."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from blur.core.manifest import made
from tests.processes import HANG, living, wait_for
from tests.workflow.conftest import SCALE, Workspace
from tests.workflow.long_run import MANIFEST, start_again, weights_hash

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("interrupted")]
LOG = f"logs/{SCALE}/tofu/unlearn.blur_npo.default.seed0.log"
COMMAND = ("snakemake", MANIFEST, "--config", f"scale={SCALE}", "workers=cold")


def workers(workspace: Workspace) -> list[int]:
    """Processes that unlearn in this workspace."""
    return [one.pid for one in living(workspace.root) if "unlearn" in one.words]


@pytest.fixture
def interrupted(long_run: Workspace, tmp_path: Path) -> tuple[Workspace, subprocess.Popen[bytes], str]:
    """The long run started again, with a checkpoint behind it; and the hash of the weights it must end with."""
    return *start_again(long_run, tmp_path, *COMMAND), weights_hash(long_run)


@pytest.mark.long  # CI ends a warm worker (test_warm: interrupt_from_the_keyboard) and kills a loop (test_loop)
def test_kill_of_the_worker(interrupted: tuple[Workspace, subprocess.Popen[bytes], str]) -> None:
    workspace, process, before = interrupted
    for pid in workers(workspace):
        os.kill(pid, signal.SIGKILL)
    assert process.wait(timeout=HANG) != 0
    assert not (workspace.root / MANIFEST).exists()
    workspace.run(*COMMAND)
    assert weights_hash(workspace) == before
    assert made((workspace.root / MANIFEST).parent)["resumed_from"] > 0


def test_kill_of_snakemake_with_its_worker_alive(interrupted: tuple[Workspace, subprocess.Popen[bytes], str]) -> None:
    workspace, process, before = interrupted
    (orphan,) = workers(workspace)
    os.kill(orphan, signal.SIGSTOP)
    refused = workspace.run("blur", "unlock", check=False)
    assert refused.returncode == 2
    assert f"process {process.pid}" in refused.stderr, "it refuses while Snakemake lives"

    process.kill()
    process.wait(timeout=HANG)
    locked = workspace.run(*COMMAND, check=False)
    assert locked.returncode != 0
    assert "lock" in (locked.stdout + locked.stderr).lower()

    workspace.run("blur", "unlock")
    resumed = subprocess.Popen(
        COMMAND, cwd=workspace.root, env=workspace.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(lambda: len(workers(workspace)) == 2)
    log = workspace.root / LOG  # Snakemake removes it before the job writes it anew
    wait_for(lambda: log.is_file() and "waiting for" in log.read_text(encoding="utf-8"))
    assert resumed.poll() is None
    os.kill(orphan, signal.SIGCONT)
    output, _ = resumed.communicate(timeout=HANG)
    assert resumed.returncode == 0, output
    assert "waiting for" in output
    assert weights_hash(workspace) == before
    wait_for(lambda: not workers(workspace))
    assert "Nothing to be done" in workspace.snakemake(MANIFEST, "--dry-run").stdout
