"""What a job that Snakemake runs on this machine did with its processor time: useful work, or getting ready for it.

Getting ready is all that comes before the stage's own code, and each import after that. The workflow adds the jobs of a
run up (``blur.workflow.useful``); a job that a person types, or that a cluster runs, counts nothing.
"""

from __future__ import annotations

import importlib._bootstrap
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from blur.core.processes import cpu_seconds

VARIABLE = "BLUR_USAGE"  # in the environment: the file that takes a line of each job


@contextmanager
def counted(stage: str) -> Iterator[None]:
    """Run a stage's work in the block; once it has ended well, leave its ``useful`` and ``total`` CPU seconds."""
    path = os.environ.get(VARIABLE)
    if not path:
        yield
        return
    with _imports() as spent:
        start = cpu_seconds()
        yield
        total = cpu_seconds()
    line = json.dumps({"stage": stage, "useful": round(total - start - spent[0], 4), "total": round(total, 4)}) + "\n"
    with suppress(OSError):  # no reason for a finished job to fail
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, line.encode())  # one write: lines of jobs that end at once do not mix
        os.close(descriptor)


@contextmanager
def _imports() -> Iterator[list[float]]:
    """Yield a number in a list: the CPU seconds that the main thread spends on first imports in the block.

    Python calls ``_find_and_load`` for each module that is not there yet, whichever way it is imported; a module that
    is there costs nothing.
    """
    system: Any = importlib._bootstrap
    original, main = system._find_and_load, threading.get_ident()
    spent, busy = [0.0], False

    def timed(name: str, import_: Any) -> Any:
        nonlocal busy
        if busy or threading.get_ident() != main:
            return original(name, import_)
        busy, start = True, cpu_seconds()
        try:
            return original(name, import_)
        finally:
            spent[0] += cpu_seconds() - start
            busy = False

    system._find_and_load = timed
    try:
        yield spent
    finally:
        system._find_and_load = original
