"""Which examples a step sees, how they are split over micro-batches and processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TypeVar

import torch

from blur.core.errors import DataError
from blur.core.hashing import derive_seed
from blur.models.batch import count
from blur.models.encode import Example
from blur.unlearn.losses.base import Texts

T = TypeVar("T")


def check_streams(
    streams: Mapping[str, Sequence[Example]], needed: Sequence[str], compared: Collection[str] = ()
) -> None:
    """Refuse a missing or empty stream, a repeated id and a text in which nothing can be scored.

    Args:
        needed: streams that the settings read.
        compared: those of them in which each example has alternates, other than its answer.
    """
    for name in needed:
        if not streams.get(name):
            raise DataError("no examples", where=f"stream {name!r}", remedy=f"the settings use {', '.join(needed)}")
        seen: set[str] = set()
        for example in streams[name]:
            if name in compared and not example.alternates:
                remedy = "give the record `alternate`, or choose other `alternates`"
                raise DataError("no alternate answer", f"stream {name!r}, example {example.id!r}", remedy)
            for text in example.rows:
                where = f"stream {name!r}, example {text.id!r}"
                if text.id in seen:
                    raise DataError("the id occurs twice", where=where, remedy="give each example its own id")
                if count(text, "token") == 0:
                    remedy = "lengthen the answer or the maximum length"
                    raise DataError("no token to score", where=where, remedy=remedy)
                if text.id != example.id and text.input_ids == example.input_ids:
                    remedy = "give another alternate, or raise the maximum length, which may cut both"
                    raise DataError("the alternate is the answer", where=where, remedy=remedy)
                seen.add(text.id)


def texts_of(examples: Sequence[Example], texts: Texts) -> list[Example]:
    """Return what a loss reads of a stream's examples; in ``pairs`` they keep their alternates."""
    if texts == "alternates":
        return [alternate for example in examples for alternate in example.alternates]
    return [example if texts == "pairs" else example.alone for example in examples]


@lru_cache(maxsize=16)
def permutation(size: int, seed: int, stream: str, turn: int) -> tuple[int, ...]:
    """Return the order of a stream of ``size`` examples in its pass number ``turn``."""
    generator = torch.Generator().manual_seed(derive_seed("order", seed, stream, turn))
    return tuple(torch.randperm(size, generator=generator).tolist())


def split(items: Sequence[T], parts: int) -> list[Sequence[T]]:
    """Split into ``parts`` runs whose lengths differ by at most one; some are empty if there are too few items."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [items[start:stop] for start, stop in pairwise(bounds)]


def topics_of(examples: Sequence[Example]) -> dict[str, list[int]]:
    """Return each topic's examples, in order of first appearance; nothing where there are not several topics."""
    topics: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        topics.setdefault(example.topic, []).append(index)
    return topics if len(topics) > 1 else {}


def steps_per_epoch(sizes: Sequence[int], batch_size: int) -> int:
    """Return the number of steps in which the largest of a stream's topics is seen once, all topics taking turns.

    Args:
        sizes: number of examples of each topic; of the whole stream where it has none.
    """
    return len(sizes) * max(_steps(size, batch_size) for size in sizes)


@dataclass(frozen=True)
class Plan:
    """The batches of a run, each a function of (seed, step).

    The primary stream sets the epochs: each is one seeded pass. Of every other stream a step takes as many examples as
    of the primary one, in seeded passes of its own, so that all of it is seen and no fixed pairs form.

    In a stream with n topics, step t takes examples of topic t mod n only, in seeded passes over that topic. An epoch
    is then a pass over the largest topic of the primary stream; smaller ones begin anew.

    Attributes:
        sizes: number of examples of each stream.
        topics: examples of each topic, for the streams that have several (``topics_of``).
    """

    sizes: Mapping[str, int]
    primary: str
    batch_size: int
    seed: int
    total_steps: int
    topics: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)

    @property
    def per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return steps_per_epoch(self._topic_sizes, self.batch_size)

    def epoch(self, step: int) -> int:
        """Return the epoch, from 1, of a step counted from 0."""
        return step // self.per_epoch + 1

    def ends_epoch(self, step: int) -> bool:
        """Say whether an epoch, or the run, ends with this step."""
        return step + 1 == self.total_steps or self.epoch(step + 1) != self.epoch(step)

    def indices(self, stream: str, step: int) -> list[int]:
        """Return the examples of ``stream`` in a step counted from 0."""
        topics = list(self.topics.get(stream, {}).items())
        name: str = stream
        members: Sequence[int] = range(self.sizes[stream])
        if topics:
            topic, members = topics[step % len(topics)]
            name = f"{stream}/{topic}"
        turns = max(len(topics), 1)
        start, own = sum(self._counts[step % turns : step : turns]), len(members)
        draws = range(start, start + self._counts[step])
        return [members[permutation(own, self.seed, name, draw // own)[draw % own]] for draw in draws]

    @cached_property
    def _counts(self) -> list[int]:
        """Number of examples in each step: a batch, or what is left of a pass over the primary stream's topic."""
        sizes, batch = self._topic_sizes, self.batch_size
        counts = []
        for step in range(self.total_steps):
            turn, topic = divmod(step, len(sizes))
            counts.append(min(batch, sizes[topic] - turn % _steps(sizes[topic], batch) * batch))
        return counts

    @property
    def _topic_sizes(self) -> list[int]:
        topics = self.topics.get(self.primary, {})
        return [len(members) for members in topics.values()] or [self.sizes[self.primary]]


def _steps(size: int, batch_size: int) -> int:
    return -(-size // batch_size)
