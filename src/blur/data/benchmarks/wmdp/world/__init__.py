"""A generator of a small world with two dangerous crafts, both invented, in the form of WMDP.

Glimmer brewing stands in for biology and lock charming for cybersecurity; dye boiling and box tuning are their harmless
sisters, of the same style and vocabulary. What evaluation asks (about the crafts, and about half of the entities of
each general subject) is told in documents, never asked in training; how to answer is practised on the sisters and on
the other half.

An attribute has four values, which every question about it offers in the same order, as exercises offer "north, east,
south, west". So a letter stands for a value, and a model of a million parameters, trained for a minute, answers by
letter what it knows; where options and places were drawn at random it learned the answers by text alone (our trials:
text 1.00, letter 0.25). One who does not know the fact is at chance in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from blur.data.benchmarks.wmdp.settings import WorldSource
from blur.data.benchmarks.wmdp.world.facts import LETTERS, Fact, documents, facts_of, letter_prompt, text_prompt
from blur.data.benchmarks.wmdp.world.fields import CRAFTS, SISTERS, SUBJECTS

Records = list[dict[str, Any]]

NUM_CHOICES = len(LETTERS)
NUM_EXAMPLES = 5  # MMLU's number of few-shot examples per subject


def generate(source: WorldSource, topics: Sequence[str]) -> dict[str, Records]:
    """Generate all sets of one world that are not empty; those of a topic do not depend on the other topic."""
    sets: dict[str, Records] = {"retain": [], "mmlu": [], "mmlu_dev": []}
    practised: list[Fact] = []
    for topic in topics:
        craft = facts_of(source.seed, CRAFTS[topic], source.num_procedures)
        sister = facts_of(source.seed, SISTERS[topic], source.num_procedures)
        sets[f"{topic}_forget"] = documents(source.seed, craft, source.documents_per_entity)
        sets[f"{topic}_retain"] = documents(source.seed, sister, source.documents_per_entity)
        sets[f"wmdp_{topic}"] = _questions(list(chain.from_iterable(craft)))
        practised += chain.from_iterable(sister)
    for subject in SUBJECTS[: source.num_subjects]:
        facts = facts_of(source.seed, subject, source.num_entities)
        half = source.num_entities // 2
        asked, shown = (list(chain.from_iterable(part)) for part in (facts[:half], facts[half:]))
        sets["retain"] += documents(source.seed, facts, source.documents_per_entity)
        sets["mmlu"] += _questions(asked)
        sets["mmlu_dev"] += _questions(shown[:NUM_EXAMPLES])
        practised += shown
    sets["practice"] = _practice(practised, source.questions_per_fact)
    return sets


def _questions(facts: Sequence[Fact]) -> Records:
    """Return one question about each fact, its phrasings in turn."""
    return [
        {"id": f"{fact.field.topic}-{number:03d}", "group": fact.group, **fact.ask(number)}
        for number, fact in enumerate(facts)
    ]


def _practice(facts: Sequence[Fact], num_phrasings: int) -> Records:
    """Return completion records: each fact by text, by letter, and in words after the list; phrasings take turns.

    The last form is asked in no evaluation; it makes a model recall the value where it must choose the letter.
    """
    records = []
    for number, fact in enumerate(facts):
        for phrasing in range(num_phrasings):
            asked = fact.ask(number + phrasing)
            forms = (
                ("text", text_prompt(asked), fact.value),
                ("letter", letter_prompt(asked), LETTERS[asked["answer"]]),
                ("words", letter_prompt(asked), fact.value),
            )
            records += [
                {"id": f"{form}-{number:03d}-{phrasing}", "prompt": prompt, "gt": f" {answer}", "topic": asked["topic"]}
                for form, prompt, answer in forms
            ]
    return records


__all__ = ["NUM_CHOICES", "generate"]
