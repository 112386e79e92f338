"""What the system tells of processes, and how one of ours ends."""

from __future__ import annotations

import atexit
import os
import resource
import sys
import threading
from typing import NoReturn


def cpu_seconds() -> float:
    """Return the processor seconds, user and system, of this process and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def start_time(pid: int) -> str | None:
    """Return when a process started, in clock ticks since boot; None if it is dead.

    It tells a process from a later one of the same number.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
            fields = handle.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def leave() -> NoReturn:
    """End this process with status 0, as ``sys.exit`` does, but leave its memory for the system to take back.

    Threads are waited for, exit handlers run and streams are flushed. What is not done is to free one object after
    the other: with torch imported that takes half a second, and in a forked child it copies every page first.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
