"""What the system tells of processes."""

from __future__ import annotations

import resource


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
