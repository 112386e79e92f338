"""A run of the graph in one line: which job of how many, what it does, how long the rest will take.

On a terminal the line moves; elsewhere one is printed now and then. What the jobs say stays in their log files, the
last lines of a failed one apart.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TextIO

from blur.config.load import read_yaml
from blur.core.errors import ConfigError
from blur.core.shipped import CONFIG, find
from blur.workflow.costs import seconds_by_rule
from blur.workflow.pace import Pace

INTERVAL = 10.0  # least seconds between two lines where the output is no terminal
TAIL = 12  # lines shown of a failed job's log
NO_WORD = {"variant": "default", "seed": "0", "request": "own"}


@dataclass(frozen=True)
class _Job:
    rule: str
    text: str
    logs: Sequence[str]
    start: float


class Watch:
    """What a person sees of a run.

    Args:
        stream: where it is written.
        clock: seconds that pass.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock, self._moves = stream, clock, stream.isatty()
        self._counts: Mapping[str, int] = {}
        self._pace: Pace | None = None
        self._running: dict[int, _Job] = {}
        self._seen: set[int] = set()
        self._num_done, self._cores = 0, 0
        self._start = self._last = clock()
        self._lock, self._ended = threading.RLock(), threading.Event()
        if self._moves:
            threading.Thread(target=self._move, daemon=True).start()

    def planned(self, counts: Mapping[str, int]) -> None:
        """Note the jobs to be done, by rule."""
        self._counts, self._start = counts, self._clock()
        self.say(f"{_jobs(sum(counts.values()))} to do")

    def given(self, cores: int) -> None:
        """Note how many jobs of one core can run at once."""
        self._cores = cores

    def started(self, number: int, rule: str, wildcards: Mapping[str, str], logs: Sequence[str]) -> None:
        """Note that a job has started."""
        with self._lock:
            if self._pace is None:
                self._pace = Pace(self._counts, seconds_by_rule(wildcards["scale"]) if "scale" in wildcards else {})
            self._seen.add(number)
            self._running[number] = _Job(rule, words(rule, wildcards), logs, self._clock())
            if not self._moves and (len(self._seen) == 1 or self._clock() - self._last >= INTERVAL):
                self.say(self.line())

    def finished(self, number: int) -> None:
        """Note that a job has ended well."""
        with self._lock:
            if (job := self._running.pop(number, None)) and self._pace:
                self._pace.finished(job.rule, self._clock() - job.start)
            self._num_done += 1
            if self._num_done == sum(self._counts.values()):
                self.say(f"{_jobs(self._num_done)} done in {_span(self._clock() - self._start)}")

    def failed(self, number: int, rule: str, logs: Sequence[str]) -> None:
        """Tell that a job has failed, with the end of its log."""
        job = self._running.pop(number, None)
        lines = [line for log in logs for line in _read_end(log)]
        self.say("\n".join([f"Failed: {job.text if job else rule}", *(f"  {line}" for line in lines[-TAIL:])]))
        for log in logs:
            self.say(f"Its log: {log}")

    def say(self, text: str) -> None:
        """Print lines that stay."""
        with self._lock:
            self._last = self._clock()
            print(f"{self._erase()}{text}", file=self._stream, flush=True)

    def close(self) -> None:
        """Take the moving line away."""
        with self._lock:
            self._ended.set()
            print(self._erase(), end="", file=self._stream, flush=True)

    def line(self) -> str:
        """Return the line that says how far the run is; empty while nothing runs."""
        if not self._running or self._pace is None:
            return ""
        now, jobs = self._clock(), [*self._running.values()]
        left = self._pace.left([(job.rule, now - job.start) for job in jobs], self._cores or len(jobs))
        told = "; ".join(job.text + _step(job.logs) for job in reversed(jobs))
        return f"job {len(self._seen)} of {sum(self._counts.values())}, about {_span(left)} left: {told}"

    def _move(self) -> None:
        while not self._ended.wait(0.5):
            with self._lock:
                if (line := self.line()) and not self._ended.is_set():
                    width = (os.get_terminal_size(self._stream.fileno()).columns or 80) - 1
                    print(f"{self._erase()}{line[:width]}", end="", file=self._stream, flush=True)

    def _erase(self) -> str:
        return "\r\x1b[K" if self._moves else ""


def words(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return what a job does in plain words, such as ``unlearn, tofu, BLUR-NPO, gamma 4``."""
    told = {name: value for name, value in wildcards.items() if NO_WORD.get(name) != value}
    parts = [told.get("derived", rule).replace("_", " "), told.get("task"), told.get("role")]
    parts += [_title("attacks", told["attack"]).lower()] if "attack" in told else []
    parts += [_title("methods", told["method"])] if "method" in told else []
    parts += [re.sub(r"^([a-z]+)([\d.]+)$", r"\1 \2", told["variant"])] if "variant" in told else []
    parts += [f"seed {told['seed']}"] if "seed" in told else []
    return ", ".join(filter(None, [*parts, told.get("request")]))


@cache
def _title(folder: str, name: str) -> str:
    """Return what a file of the configuration calls a method or attack; the name itself where there is no file."""
    with suppress(ConfigError):
        return str(read_yaml(find(f"{CONFIG}/{folder}/{name}.yaml")).get("title", name))
    return name


def _jobs(number: int) -> str:
    return f"{number} job{'s' if number > 1 else ''}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _step(logs: Sequence[str]) -> str:
    """Return how far a job says it is, from the end of its log; empty where it says nothing."""
    found = [match for log in logs for line in _read_end(log) for match in re.findall(r": (\w[\w ]* \d+/\d+)", line)]
    return f" ({found[-1]})" if found else ""


def _read_end(path: str, num_bytes: int = 4000) -> list[str]:
    """Return the last lines of a file; none where there is no file yet."""
    with suppress(OSError), open(path, "rb") as handle:  # not there yet, or just begun anew
        handle.seek(-min(num_bytes, os.fstat(handle.fileno()).st_size), os.SEEK_END)
        return handle.read().decode("utf-8", "replace").splitlines()
    return []
