"""Carry on after Snakemake was killed: prove that its owner is dead, clear its lock, run again."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from blur.core.errors import BlurError
from blur.core.files import read_json, write_json
from blur.core.paths import WORK
from blur.core.processes import start_time

OWNER = WORK / "snakemake.json"
LOCKS = Path(".snakemake/locks")


def mark_running() -> None:
    """Note which process runs the workflow here; the Snakefile calls it at the start of a run."""
    pid = os.getpid()
    write_json(OWNER, {"pid": pid, "started": start_time(pid), "host": socket.gethostname()})


def clear_stale_lock() -> bool:
    """Remove Snakemake's lock if the process that took it is dead; return whether there was one.

    Raises:
        BlurError: the owner is alive, or lives on another host so that nothing can be proved.
    """
    if not LOCKS.is_dir() or not any(LOCKS.iterdir()):
        return False
    owner = read_json(OWNER) if OWNER.is_file() else None
    if owner is None:
        raise BlurError("locked by an unknown process", str(LOCKS), "If none runs, type `snakemake --unlock`")
    if owner["host"] != socket.gethostname():
        raise BlurError(f"locked by a process on {owner['host']}", str(LOCKS), "Type `make resume` there")
    if start_time(owner["pid"]) == owner["started"]:
        raise BlurError(f"Snakemake is still running as process {owner['pid']}", str(LOCKS), "Wait for it or stop it")
    subprocess.run(["snakemake", "--unlock"], check=True)
    return True
