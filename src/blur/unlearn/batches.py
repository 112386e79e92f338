"""Which examples a step sees, how they are split over micro-batches and processes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeVar

import torch

from blur.core.errors import DataError
from blur.models.batch import count
from blur.models.encode import Example

T = TypeVar("T")


def check_streams(streams: Mapping[str, Sequence[Example]], needed: Sequence[str]) -> None:
    """Refuse a missing or empty stream, a repeated id and an example in which nothing can be scored."""
    for name in needed:
        if not streams.get(name):
            raise DataError("no examples", where=f"stream {name!r}", remedy=f"the settings use {', '.join(needed)}")
        seen: set[str] = set()
        for example in streams[name]:
            where = f"stream {name!r}, example {example.id!r}"
            if example.id in seen:
                raise DataError("the id occurs twice", where=where, remedy="give each example its own id")
            if count(example, "token") == 0:
                raise DataError("no token to score", where=where, remedy="lengthen the answer or the maximum length")
            seen.add(example.id)


def derive_seed(*parts: object) -> int:
    """Return a 63-bit seed that depends on every part, and on nothing else."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1


@lru_cache(maxsize=16)
def permutation(size: int, seed: int, stream: str, turn: int) -> tuple[int, ...]:
    """Return the order of a stream of ``size`` examples in its pass number ``turn``."""
    generator = torch.Generator().manual_seed(derive_seed("order", seed, stream, turn))
    return tuple(torch.randperm(size, generator=generator).tolist())


def split(items: Sequence[T], parts: int) -> list[Sequence[T]]:
    """Split into ``parts`` runs whose lengths differ by at most one; some are empty if there are too few items."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [items[start:stop] for start, stop in pairwise(bounds)]


@dataclass(frozen=True)
class Plan:
    """The batches of a run, each a function of (seed, step).

    The primary stream sets the epochs: each is one seeded pass. Of every other stream a step takes as many examples as
    of the primary one, in seeded passes of its own, so that all of it is seen and no fixed pairs form.
    """

    sizes: Mapping[str, int]
    primary: str
    batch_size: int
    seed: int
    total_steps: int

    @staticmethod
    def steps_per_epoch(size: int, batch_size: int) -> int:
        """Return the number of steps in a pass over ``size`` examples; the last one may be smaller."""
        return -(-size // batch_size)

    def epoch(self, step: int) -> int:
        """Return the epoch, from 1, of a step counted from 0."""
        return step // self.steps_per_epoch(self.sizes[self.primary], self.batch_size) + 1

    def ends_epoch(self, step: int) -> bool:
        """Say whether an epoch, or the run, ends with this step."""
        return step + 1 == self.total_steps or self.epoch(step + 1) != self.epoch(step)

    def indices(self, stream: str, step: int) -> list[int]:
        """Return the examples of ``stream`` in a step counted from 0."""
        size = self.sizes[self.primary]
        turn, within = divmod(step, self.steps_per_epoch(size, self.batch_size))
        start, stop = within * self.batch_size, min((within + 1) * self.batch_size, size)
        draws = range(turn * size + start, turn * size + stop)
        own = self.sizes[stream]
        return [permutation(own, self.seed, stream, draw // own)[draw % own] for draw in draws]
