"""Draws that give the same result on every Python version.

Only ``random.Random.random`` is promised to keep its sequence for a seed; ``choice``, ``sample`` and ``shuffle`` may
change.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def stream(seed: int, *names: str | int) -> random.Random:
    """Return a generator for one named part of a world, independent of how much the other parts draw."""
    return random.Random("/".join(map(str, (seed, *names))))


def pick(rng: random.Random, pool: Sequence[T]) -> T:
    """Draw one element uniformly."""
    return pool[int(rng.random() * len(pool))]


def draw(rng: random.Random, pool: Sequence[T], count: int) -> list[T]:
    """Draw ``count`` distinct elements uniformly, in random order (Fisher-Yates).

    Errors:
        ValueError: the pool has fewer than ``count`` elements.
    """
    if count > len(pool):
        raise ValueError(f"cannot draw {count} of {len(pool)}")
    rest = list(pool)
    for index in range(count):
        other = index + int(rng.random() * (len(rest) - index))
        rest[index], rest[other] = rest[other], rest[index]
    return rest[:count]


def deal(rng: random.Random, pool: Sequence[T], count: int) -> list[T]:
    """Draw ``count`` elements evenly: shuffled pools one after another, the last one cut short."""
    dealt: list[T] = []
    while len(dealt) < count:
        dealt += draw(rng, pool, len(pool))
    return dealt[:count]
