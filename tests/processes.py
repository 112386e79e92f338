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
    """A living process: its number and its parent's, the words of its command."""

    pid: int
    parent: int
    words: list[str]


def living(folder: Path | None = None) -> Iterator[Process]:
    """Yield all that live and may be looked at, anywhere or in a folder, which tests ask for many times a second."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            place = os.readlink(f"/proc/{name}/cwd")
            if folder is not None and place != str(folder):
                continue
            words = Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace").split("\0")
            parent = int(Path(f"/proc/{name}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:  # it has just ended, or is another user's
            continue
        if start_time(int(name)):
            yield Process(int(name), parent, words)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
