"""Snakemake's command in a child of a process that has imported Snakemake: a plan costs what planning costs.

The child is what a person's command is: its own process in the workspace's folder, with the workspace's environment and
the workspace's `blur`, which the parent has never imported.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
PRELOADED = ["snakemake.cli", "snakemake_executor_plugin_slurm", "pydantic", "yaml"]


def snakemake(root: Path, env: Mapping[str, str], arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Return how the command ended, and all that it said as its output."""
    SERVER.set_forkserver_preload(PRELOADED)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        child = SERVER.Process(target=_command, args=(str(root), dict(env), list(arguments), str(output)))
        child.start()
        child.join()
        assert child.exitcode is not None
        said = output.read_text(encoding="utf-8")
    return subprocess.CompletedProcess(["snakemake", *arguments], child.exitcode, said, "")


def _command(root: str, env: dict[str, str], arguments: list[str], output: str) -> None:
    loaded = [name for name in sys.modules if name.split(".")[0] == "blur"]
    assert not loaded, f"a workspace has a `blur` of its own, but these are loaded: {loaded}"
    os.chdir(root)
    os.environ.clear()
    os.environ.update(env)
    sys.path.insert(0, f"{root}/src")
    file = os.open(output, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main(arguments)
