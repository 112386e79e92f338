"""How far a stage is, on standard error. No fingerprint covers this module: nothing of it gets into a result."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Progress of one stage on standard error: a moving line on a terminal, else a line now and then.

    Args:
        label: the run, for instance ``unlearn tofu/blur_npo/default/seed0``.
        interval: least seconds between two lines where the output is no terminal.
    """

    def __init__(self, label: str, interval: float = 5.0, stream: TextIO | None = None) -> None:
        self._label, self._interval, self._stream = label, interval, stream or sys.stderr
        self._start = self._last = time.monotonic()
        self._what = ""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Report that ``done`` of ``total`` units of ``what`` are done; prints what is left in seconds."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._start = what, now
        moving = self._stream.isatty()
        if done < total and now - self._last < (0.1 if moving else self._interval):
            return
        self._last = now
        left = f", {(now - self._start) / done * (total - done):.0f} s left" if 0 < done < total else ""
        end = "\r" if moving and done < total else "\n"
        print(f"{self._label}: {what} {done}/{total}{left}", end=end, file=self._stream, flush=True)

    def note(self, text: str) -> None:
        """Print one line."""
        print(f"{self._label}: {text}", file=self._stream, flush=True)
