"""What the system tells of processes."""

from __future__ import annotations


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
