"""Which words a world uses, and which values its authors get.

A model that never saw an author must find it as strange as any other author it never saw. So every word of a forget
or holdout author (and of a wrong answer) also occurs among the retain authors: the pools shrink with the world, words
are dealt evenly, and only their combinations are news. Holdout authors are twins of the forget authors: made of the
same words, combined anew, which takes the luck of the draw out of the comparison of the two.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from blur.data.benchmarks.tofu.world.facts import ATTRIBUTES, Attribute, Value
from blur.data.world.draw import deal, draw, stream

NUM_PERTURBED = 5
QUESTIONS_PER_ATTRIBUTE = 2
MAX_QUESTIONS = QUESTIONS_PER_ATTRIBUTE * len(ATTRIBUTES)
_MIN_TWIN_WORDS = 4

Slots = list[list[str]]


def pool_limit(num_retain: int) -> int:
    """Return how many words of a pool a world uses: each at least twice among the retain authors, if it can be."""
    return max(NUM_PERTURBED + 1, num_retain // 2)


def attributes(questions_per_author: int) -> tuple[Attribute, ...]:
    """Return the attributes that so many questions ask about."""
    return ATTRIBUTES[: questions_per_author // QUESTIONS_PER_ATTRIBUTE]


def slots_of(seed: int, attribute: Attribute, num_retain: int) -> Slots:
    """Return the words that a world of ``num_retain`` retain authors uses in each slot of ``attribute``."""
    limit = pool_limit(num_retain)
    return [
        draw(stream(seed, "pool", attribute.topic, k), pool, min(limit, len(pool)))
        for k, pool in enumerate(attribute.slots)
    ]


def deal_values(seed: int, split: str, attribute: Attribute, slots: Slots, count: int) -> list[Value]:
    """Return the values of ``count`` authors of a split; in each slot every word comes up equally often."""
    dealt = [deal(stream(seed, split, attribute.topic, k), pool, count) for k, pool in enumerate(slots)]
    return list(zip(*dealt, strict=True))


def twin_values(seed: int, attribute: Attribute, slots: Slots, models: Sequence[Value], count: int) -> list[Value]:
    """Return ``count`` values made of the words of ``models``, none of which is one of ``models``."""
    taken = list(zip(*models, strict=True))
    pools = [
        [*words, *[word for word in pool if word not in words][: max(0, _MIN_TWIN_WORDS - len(words))]]
        for words, pool in zip(taken, slots, strict=True)
    ]
    attempt = 0
    while set(values := deal_values(seed, f"twins {attempt}", attribute, pools, count)) & set(models):
        attempt += 1
    return values


def wrong_values(rng: random.Random, slots: Slots, value: Value) -> list[Value]:
    """Return wrong values; truth and wrong ones differ in every slot from one another: a guesser sees six equals."""
    others = [
        draw(rng, [word for word in pool if word != true], NUM_PERTURBED)
        for pool, true in zip(slots, value, strict=True)
    ]
    return list(zip(*others, strict=True))


def guess_chances(num_retain: int, questions_per_author: int) -> list[float]:
    """Return, per attribute asked, the probability of guessing a value by a model that knows the words in use."""
    limit = pool_limit(num_retain)
    return [
        1 / math.prod(min(limit, len(pool)) for pool in attribute.slots)
        for attribute in attributes(questions_per_author)
    ]
