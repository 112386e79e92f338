"""A generator of a small world: fictitious authors to learn and forget, and what everybody knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from blur.data.benchmarks.tofu.world.authors import tell
from blur.data.benchmarks.tofu.world.general import NUM_WRONG, real_authors, world_facts
from blur.data.benchmarks.tofu.world.values import (
    NUM_PERTURBED,
    attributes,
    deal_values,
    guess_chances,
    slots_of,
    twin_values,
)
from blur.data.world.draw import stream
from blur.data.world.names import full_names

Records = list[dict[str, Any]]


def generate(
    *,
    seed: int,
    num_forget: int,
    num_retain: int,
    num_holdout: int,
    questions_per_author: int,
    num_real_authors: int,
    num_world_facts: int,
) -> dict[str, Records]:
    """Generate the sets ``retain, forget, holdout, real_authors, world_facts`` of one world.

    Forget and holdout authors are made alike, of words that the retain authors use; nothing but training tells
    them apart. The bounds on the arguments are those of ``WorldSource``.
    """
    sizes = {"retain": num_retain, "forget": num_forget, "holdout": num_holdout}
    num_authors = sum(sizes.values())
    names = full_names(seed, num_authors + num_real_authors, num_retain)
    told: dict[str, list[list[Records]]] = {split: [] for split in sizes}
    for position, attribute in enumerate(attributes(questions_per_author)):
        slots = slots_of(seed, attribute, num_retain)
        values = {split: deal_values(seed, split, attribute, slots, sizes[split]) for split in ("retain", "forget")}
        values["holdout"] = twin_values(seed, attribute, slots, values["forget"], num_holdout)
        start = 0
        for split, size in sizes.items():
            told[split].append(tell(seed, attribute, position, slots, names[start : start + size], values[split]))
            start += size
    first = {"retain": 0, "forget": num_retain, "holdout": num_retain + num_forget}
    return {
        **{split: _by_author(told[split], first[split], size) for split, size in sizes.items()},
        "real_authors": real_authors(stream(seed, "real_authors"), names[num_authors:]),
        "world_facts": world_facts(stream(seed, "world_facts"), num_world_facts),
    }


def _by_author(told: Sequence[Sequence[Records]], first_number: int, num_authors: int) -> Records:
    records: Records = []
    for turn in range(num_authors):
        group = f"author-{first_number + turn:04d}"
        about = [record for facts in told for record in facts[turn]]
        records += [{"id": f"{group}-q{k:02d}", **record, "group": group} for k, record in enumerate(about)]
    return records


def chance(num_retain: int, questions_per_author: int) -> dict[str, float]:
    """Return what a model that knows all phrasings and words, but not the author asked about, can reach.

    Keys: ``guess_value``: probability of guessing a value, mean over the attributes asked; ``guess_value_max``: the
    same for the easiest attribute; ``rank_first`` and ``rank_first_general``: probability that the truth scores above
    all wrong answers; ``truth_ratio``: wrong/true likelihood of a guesser that gives all values the same likelihood.
    """
    guesses = guess_chances(num_retain, questions_per_author)
    return {
        "guess_value": math.fsum(guesses) / len(guesses),
        "guess_value_max": max(guesses),
        "rank_first": 1 / (NUM_PERTURBED + 1),
        "rank_first_general": 1 / (NUM_WRONG + 1),
        "truth_ratio": 1.0,
    }
