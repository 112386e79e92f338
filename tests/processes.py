"""Processes of this machine, as tests look and wait for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from blur.core.processes import start_time

HANG = 3600  # seconds, the limit of every wait: for what never ends, since a loaded machine makes all else slow


class Process(NamedTuple):
    """A living process: its number and its parent's, the words of its command, the folder it is in."""

    pid: int
    parent: int
    words: list[str]
    folder: str


def living() -> Iterator[Process]:
    """Yield all that live and may be looked at."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            folder = os.readlink(entry / "cwd")
        except OSError:  # it has just ended, or is another user's
            continue
        if start_time(int(entry.name)):
            yield Process(int(entry.name), parent, words, folder)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
