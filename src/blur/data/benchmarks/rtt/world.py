"""Invented people and the years of their births: facts that say nothing about each other.

A year is one of the forty from 1960 to 1999: none lies in the future, and a small model has time to learn the words.
The options are the four years from a leap year on, in order, as the authors' Years offer four consecutive ones. So a
letter stands for a year, which a model of a million parameters needs to answer by letter (see
``blur.data.benchmarks.wmdp.world``).

The years of each set are dealt evenly: one who does not know the people is right on about a quarter, whatever option
he always takes (the few questions of a split would else favour some), and every year among its four is practised.
"""

from __future__ import annotations

from itertools import accumulate
from math import lcm

from blur.data.benchmarks.rtt.facts import Fact, Known
from blur.data.benchmarks.rtt.settings import NUM_SPLITS, SURNAMES, WorldSource
from blur.data.world.draw import deal, draw, stream
from blur.data.world.pools import FIRST_NAMES

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
    splits = {f"split {number}": source.num_facts_per_split for number in range(NUM_SPLITS)}
    sizes = {"retained": source.num_retained, "practised": source.num_practised, **splits}
    names = full_names(source.seed, sum(sizes.values()))
    years = [year for part, size in sizes.items() for year in deal(stream(source.seed, part), YEARS, size)]
    facts = [_fact(turn, name, year) for turn, (name, year) in enumerate(zip(names, years, strict=True))]
    ends = list(accumulate(sizes.values()))
    retained, practised, *forgotten = (
        tuple(facts[end - size : end]) for end, size in zip(ends, sizes.values(), strict=True)
    )
    return Known(tuple(forgotten), retained, practised)


def full_names(seed: int, count: int) -> list[str]:
    """Return ``count`` distinct full names; every so many in a row, half-names take turns."""
    firsts = draw(stream(seed, "first names"), FIRST_NAMES, len(FIRST_NAMES))
    lasts = draw(stream(seed, "last names"), SURNAMES, len(SURNAMES))
    cycle = lcm(len(firsts), len(lasts))
    return [f"{firsts[k % len(firsts)]} {lasts[(k + k // cycle) % len(lasts)]}" for k in range(count)]


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
