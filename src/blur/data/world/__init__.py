"""A generator of a small world: fictitious authors to learn and forget, and what everybody knows."""

from __future__ import annotations

from typing import Any

from blur.data.world import pools
from blur.data.world.authors import NUM_PERTURBED, QUESTIONS_PER_ATTRIBUTE, author_records
from blur.data.world.draw import draw, stream
from blur.data.world.facts import ATTRIBUTES
from blur.data.world.general import NUM_WRONG, real_authors, world_facts

MAX_NAMES = len(pools.FIRST_NAMES) * len(pools.LAST_NAMES)


def generate(
    *,
    seed: int,
    num_forget: int,
    num_retain: int,
    num_holdout: int,
    questions_per_author: int,
    num_real_authors: int,
    num_world_facts: int,
) -> dict[str, list[dict[str, Any]]]:
    """Generate the sets ``forget, retain, holdout, real_authors, world_facts`` of one world.

    Forget, retain and holdout authors are drawn alike: names without replacement from one pool, values from the same
    pools, phrasings in the same turns. Nothing but training tells them apart.
    """
    sizes = {"retain": num_retain, "forget": num_forget, "holdout": num_holdout, "real": num_real_authors}
    pairs = [f"{first} {last}" for first in pools.FIRST_NAMES for last in pools.LAST_NAMES]
    names = iter(draw(stream(seed, "names"), pairs, sum(sizes.values())))
    sets: dict[str, list[dict[str, Any]]] = {}
    number = 0
    for split in ("retain", "forget", "holdout"):
        sets[split] = []
        for turn in range(sizes[split]):
            rng = stream(seed, "author", number)
            group = f"author-{number:04d}"
            sets[split] += author_records(rng, next(names), group, turn, questions_per_author)
            number += 1
    sets["real_authors"] = real_authors(stream(seed, "real_authors"), [next(names) for _ in range(num_real_authors)])
    sets["world_facts"] = world_facts(stream(seed, "world_facts"), num_world_facts)
    return sets


def chance(questions_per_author: int) -> dict[str, float]:
    """Return what a model that knows phrasings and pools, but no author, can reach.

    Keys: ``guess_value``: probability of guessing a value, mean over the attributes asked; ``guess_value_max``: the
    same for the easiest attribute; ``rank_first`` and ``rank_first_general``: probability that the truth scores above
    all wrong answers; ``truth_ratio``: wrong/true likelihood of a guesser that gives all values the same likelihood.
    """
    guesses = [1 / attribute.num_values for attribute in ATTRIBUTES[: questions_per_author // QUESTIONS_PER_ATTRIBUTE]]
    return {
        "guess_value": sum(guesses) / len(guesses),
        "guess_value_max": max(guesses),
        "rank_first": 1 / (NUM_PERTURBED + 1),
        "rank_first_general": 1 / (NUM_WRONG + 1),
        "truth_ratio": 1.0,
    }
