"""A run that is long enough to be interrupted."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from blur.core.files import read_json
from tests.processes import wait_for
from tests.workflow.conftest import SCALE, Workspace, copy

RUN = "tofu/blur_npo/default/seed0"
MANIFEST = f"results/{SCALE}/models/{RUN}/manifest.json"


def weights_hash(workspace: Workspace) -> str:
    """Hash of the long run's weights."""
    return str(read_json(workspace.root / MANIFEST)["files"]["model.safetensors"])


def start_again(
    long_run: Workspace, folder: Path, *command: str, missing: Sequence[str] = ()
) -> tuple[Workspace, subprocess.Popen[bytes]]:
    """Start the long run once more, in a copy and as a process group; return once a checkpoint is behind it.

    Args:
        missing: what is to be made besides its model.
    """
    workspace = copy(long_run, folder.resolve() / "checkout")
    for name in (MANIFEST, *missing):
        (workspace.root / name).unlink(missing_ok=True)
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=workspace.root, env=workspace.env, start_new_session=True, **silent)  # type: ignore[call-overload]
    work = workspace.root / f"work/{SCALE}/unlearn/{RUN}"
    wait_for(lambda: any(int(path.name.removeprefix("step")) >= 6 for path in work.glob("*/step0*")))
    return workspace, process
