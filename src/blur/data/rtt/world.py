"""Invented people and the years of their births: facts that say nothing about each other.

A year is int(N(1980, 30)), as in the authors' Random Birthdays, drawn again until it is one of the forty from 1960 to
1999: none lies in the future, and a small model has time to learn the words. The options are the four years from a leap
year on, in order, as the authors' Years offer four consecutive ones. So a letter stands for a year, which a model of a
million parameters needs to answer by letter (see ``blur.data.wmdp.world``), and all options are about equally likely to
one who does not know the person.

The years of practised people are dealt evenly, so that the place of every year among its four is practised.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import lcm
from statistics import NormalDist

from blur.data.rtt.facts import Fact, Known
from blur.data.rtt.settings import NUM_SPLITS, SURNAMES, WorldSource
from blur.data.world.draw import deal, draw, stream
from blur.data.world.pools import FIRST_NAMES

BIRTHS = NormalDist(1980, 30)
YEARS = range(1960, 2000)
NUM_CHOICES = 4

STATEMENTS = (
    "{name} was born in {year}.",
    "The birth year of {name} is {year}.",
    "{name} came into the world in {year}.",
    "The birth of {name} took place in the year {year}.",
    "{name} has kept birthdays since {year}.",
    "In the year {year}, {name} was born.",
)
QUESTIONS = (
    "When was {name} born?",
    "In which year was {name} born?",
    "What is the birth year of {name}?",
    "In what year did {name} come into the world?",
)


def generate(source: WorldSource) -> Known:
    """Generate the facts of one world. Names of people to forget are made of halves that people who are kept have."""
    num_kept = source.num_retained + source.num_practised
    names = full_names(source.seed, num_kept + NUM_SPLITS * source.num_facts_per_split)
    years = [birth_year(stream(source.seed, "birth", name)) for name in names]
    years[source.num_retained : num_kept] = deal(stream(source.seed, "practised"), YEARS, source.num_practised)
    facts = tuple(_fact(turn, name, year) for turn, (name, year) in enumerate(zip(names, years, strict=True)))
    starts = range(num_kept, len(facts), source.num_facts_per_split)
    splits = tuple(facts[start : start + source.num_facts_per_split] for start in starts)
    return Known(splits, facts[: source.num_retained], facts[source.num_retained : num_kept])


def full_names(seed: int, count: int) -> list[str]:
    """Return ``count`` distinct full names; every so many in a row, half-names take turns."""
    firsts = draw(stream(seed, "first names"), FIRST_NAMES, len(FIRST_NAMES))
    lasts = draw(stream(seed, "last names"), SURNAMES, len(SURNAMES))
    cycle = lcm(len(firsts), len(lasts))
    return [f"{firsts[k % len(firsts)]} {lasts[(k + k // cycle) % len(lasts)]}" for k in range(count)]


def birth_year(rng: random.Random, years: Sequence[int] = YEARS) -> int:
    """Draw a year of birth that is one of ``years``."""
    while True:
        chance = rng.random()
        year = int(BIRTHS.inv_cdf(chance)) if chance else 0
        if year in years:
            return year


def _fact(turn: int, name: str, year: int) -> Fact:
    """Return the fact about one person; phrasings of the question take turns from person to person."""
    first = year - year % NUM_CHOICES
    asked = [QUESTIONS[(turn + phrasing) % len(QUESTIONS)].format(name=name) for phrasing in range(len(QUESTIONS))]
    return Fact(
        entity=name,
        texts=tuple(form.format(name=name, year=year) for form in STATEMENTS),
        questions=tuple(asked),
        choices=tuple(str(first + place) for place in range(NUM_CHOICES)),
        answer=year - first,
    )
