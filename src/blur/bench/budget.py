"""What the parts of ``blur.bench.gpu`` share: the time, the options, and a way to say that a part cannot be done."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class SkippedError(Exception):
    """A part cannot be done here; the message is the reason."""


@dataclass
class Timer:
    """The time that all parts have together, in seconds."""

    budget: float
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until the budget is spent."""
        return self.budget - (time.monotonic() - self.began)


@dataclass(frozen=True)
class Options:
    """What is measured, as typed; ``gpu`` is a GPU of config/planner.yaml, for its peak."""

    device: str
    shapes: tuple[str, ...]
    batch: int
    tokens: int
    rounds: int
    gpu: str
    stories: str
    authors: int
    epochs: int


@dataclass(frozen=True)
class Part:
    """One part: the least seconds that it is begun with, and what makes its lines of text and its figures."""

    name: str
    seconds: float
    run: Callable[[Options, Timer], tuple[list[str], dict[str, Any]]]
