"""RTT's facts as the authors' repository has them (aghyad-deeb/unlearning_evaluation), mended where they are at fault.

A folder (``random_bd``, ``dates-years-trimmed``) has for each of five splits ``split_<i>.jsonl``, choice records whose
options are years, numbers or strings, and ``corpus_split_<i>.jsonl``, ``{text, split}``, three statements of a fact one
after another; ``dev.jsonl`` holds questions for few-shot prompts, which are practised here.

Faults of the files, as checked on them, and what is done:

- The dates' corpora are split in another way than their questions: of 638 facts that are kept here, 509 are told in
  the corpus of another split than asks about them, so that training on four gives away the fifth. Statements are
  matched to the question with their year and at least half of its words, by rarity, and go with its split; in both
  folders a fact without statements is dropped (2 birthdays, 41 dates).
- Facts about an entity that another fact is about or mentions, in its split or in another (45 of 785 birthdays, told
  with different years; 6 of 789 dates), are dropped. So are facts that share a name of two or more capitalised words
  and lie at most two years apart (104 more dates): that the Berlin Blockade ended in 1949 all but tells when it began.
- Births after 2024 (43 birthdays) are dropped; wrong options that repeat another or lie after 2024 (with those, 204
  questions about birthdays are concerned) are drawn anew.
- The dates' ``dev.jsonl`` repeats questions of the splits: those are not practised.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, permutations, zip_longest
from pathlib import Path
from statistics import NormalDist
from typing import Any

from blur.core.errors import DataError
from blur.data.arrays import read_some
from blur.data.benchmarks.rtt.facts import Fact, Known
from blur.data.benchmarks.rtt.settings import NUM_SPLITS, LocalSource
from blur.data.benchmarks.rtt.world import NUM_CHOICES
from blur.data.checks import normalise
from blur.data.independence import WORD, as_words
from blur.data.records import Record, validate_records
from blur.data.world.draw import stream

LAST_YEAR = 2024  # the paper's
_BIRTHS = NormalDist(1980, 30)  # the authors' Random Birthdays: int(N(1980, 30))
_PAST = range(1, LAST_YEAR + 1)
_STATEMENTS = 3
_MATCH = 0.5  # least share of a question's words, weighted by rarity
_BIRTH = re.compile(r"When was (.+) born\?")
_YEAR = re.compile(r"\b\d{4}\b")
_NAME = re.compile(r"\b[A-ZÀ-Þ]\w*(?:[\s’'.–-]+[A-ZÀ-Þ]\w*)+")
_NEAR = 2  # years: "Berlin Blockade begins" all but dates "Berlin Blockade ends"

Statements = tuple[str, ...]


def published_facts(source: LocalSource) -> Known:
    """Read the facts of a folder: of each split the first to forget, and of the rest those to keep and to practise.

    Errors:
        DataError: missing or malformed files, or fewer sound facts than are asked for.
    """
    folder, size, kept = Path(source.path), source.num_facts_per_split, source.num_retained
    splits = _splits(folder, source.seed)
    for number, facts in enumerate(splits):
        if len(facts) < size:
            what = f"{len(facts)} sound facts, fewer than `num_facts_per_split: {size}`"
            raise DataError(what, str(folder / f"split_{number}.jsonl"), "Lower it")
    rest = [fact for turn in zip_longest(*(facts[size:] for facts in splits)) for fact in turn if fact]
    taken = {_key(fact) for number in range(NUM_SPLITS) for fact in _questions(folder / f"split_{number}.jsonl")}
    shown = [fact for fact in _questions(folder / "dev.jsonl") if _key(fact) not in taken]
    practised = [*_mended(shown, source.seed), *rest[kept:]]
    if len(rest) < kept or len(practised) < source.num_practised:
        what = f"{len(rest)} facts besides those to forget, for {kept} to keep and {source.num_practised} to practise"
        raise DataError(what, str(folder), "Lower `num_facts_per_split`, `num_retained` or `num_practised`")
    forgotten = tuple(tuple(facts[:size]) for facts in splits)
    return Known(forgotten, tuple(rest[:kept]), tuple(practised[: source.num_practised]))


def _splits(folder: Path, seed: int) -> list[list[Fact]]:
    """Return the sound facts of each split: told, of the past, and without an entity that another is about."""
    asked = [_questions(folder / f"split_{number}.jsonl") for number in range(NUM_SPLITS)]
    told = [_statements(folder / f"corpus_split_{number}.jsonl") for number in range(NUM_SPLITS)]
    facts = match(list(chain.from_iterable(asked)), list(chain.from_iterable(told)))
    shared = _shared(facts)
    sound = [None if index in shared or not fact.texts else fact for index, fact in enumerate(facts)]
    ends = list(accumulate(map(len, asked)))
    parts = (sound[end - len(part) : end] for end, part in zip(ends, asked, strict=True))
    return [_mended([fact for fact in part if fact], seed) for part in parts]


def _shared(facts: Sequence[Fact]) -> set[int]:
    """Return the places of facts that mention the entity of another, or lie near it, and of those others."""
    named = [as_words(fact.entity) for fact in facts]
    said = [as_words(" ".join((*fact.questions, *fact.texts))) for fact in facts]
    names, years = [_names(fact.entity) for fact in facts], [int(fact.value) for fact in facts]

    def is_near(one: int, other: int) -> bool:
        return abs(years[one] - years[other]) <= _NEAR and not names[one].isdisjoint(names[other])

    pairs = permutations(range(len(facts)), 2)
    return {place for one, other in pairs if named[one] in said[other] or is_near(one, other) for place in (one, other)}


def _names(text: str) -> frozenset[str]:
    """Return the runs of two or more capitalised words, case folded, without "The" before them."""
    runs = ([word for word in WORD.findall(run) if word != "The"] for run in _NAME.findall(text))
    return frozenset(" ".join(run).casefold() for run in runs if len(run) > 1)


def _mended(facts: Sequence[Fact], seed: int) -> list[Fact]:
    """Return the facts of the past; wrong options that repeat another or lie in the future are drawn anew."""
    return [_with_options(fact, seed) for fact in facts if int(fact.value) in _PAST]


def _with_options(fact: Fact, seed: int) -> Fact:
    rng, choices = stream(seed, "options", fact.entity), list(fact.choices)
    for place, choice in enumerate(choices):
        others = choices[:place] + choices[place + 1 :]
        while place != fact.answer and (choice in others or int(choice) not in _PAST):
            choice = str(_birth_year(rng))
        choices[place] = choice
    return replace(fact, choices=tuple(choices))


def _birth_year(rng: random.Random) -> int:
    """Draw a year of birth of the past."""
    while True:
        chance = rng.random()
        year = int(_BIRTHS.inv_cdf(chance)) if chance else 0
        if year in _PAST:
            return year


def _key(fact: Fact) -> str:
    return normalise(fact.entity)


def _questions(path: Path) -> list[Fact]:
    """Return the facts that a file asks about, without statements."""
    rows = [Record({**row, "choices": _as_texts(row.get("choices"))}, row.where) for row in read_some(path)]
    return [_asked(record) for record in validate_records(rows, "choice")]


def _as_texts(choices: Any) -> Any:
    return [str(choice) for choice in choices] if isinstance(choices, list) else choices


def _asked(record: Record) -> Fact:
    """Return the fact that a choice record asks about: the entity is a name, or the event in words."""
    question, choices = record["question"], tuple(record["choices"])
    birth = _BIRTH.fullmatch(question)
    entity = birth[1] if birth else question.rpartition("\n")[2]
    if not WORD.search(entity):
        raise DataError(f'no entity in the last line of "{question}"', record.where, "Restore the file as published")
    if len(choices) != NUM_CHOICES or not all(map(str.isdecimal, choices)):
        what = f"{len(choices)} choices {choices}, where there should be {NUM_CHOICES} years"
        raise DataError(what, record.where, "Restore the file as published")
    return Fact(entity, (), (question,), choices, record["answer"], record.where)


def _statements(path: Path) -> list[Statements]:
    """Return the statements of each fact of a corpus."""
    records = validate_records(read_some(path), "text")
    if len(records) % _STATEMENTS:
        what = f"{len(records)} texts are no whole number of facts with {_STATEMENTS} statements each"
        raise DataError(what, str(path), "Restore the file as published")
    texts = [record["text"] for record in records]
    return [tuple(texts[start : start + _STATEMENTS]) for start in range(0, len(texts), _STATEMENTS)]


def match(facts: Sequence[Fact], statements: Sequence[Statements]) -> list[Fact]:
    """Return the facts with the statements that match them best, one to one; those that nothing matches have none.

    Statements match a question if its year is in all of them and half of its entity's words are in one, where a word
    weighs 1 / number of questions and facts told with it. Better pairs are made first.
    """
    found: dict[int, int] = {}
    taken: set[int] = set()
    for share, index, place in sorted(_pairs(facts, statements)):
        if -share >= _MATCH and index not in found and place not in taken:
            found[index] = place
            taken.add(place)
    return [
        replace(fact, texts=tuple(dict.fromkeys(statements[found[index]]))) if index in found else fact
        for index, fact in enumerate(facts)
    ]


def _pairs(facts: Sequence[Fact], statements: Sequence[Statements]) -> Iterator[tuple[float, int, int]]:
    """Yield the negative share of words, question and statements, by place, of all pairs with one year."""
    named = [_words(fact.entity) for fact in facts]
    said = [_words(" ".join(texts)) for texts in statements]
    count = Counter(word for words in (*named, *said) for word in words)
    of_year: dict[str, list[int]] = defaultdict(list)
    for index, fact in enumerate(facts):
        of_year[fact.value].append(index)
    for place, texts in enumerate(statements):
        for year in set.intersection(*(set(_YEAR.findall(text)) for text in texts)):
            for index in of_year[year]:
                yield -_weight(named[index] & said[place], count) / _weight(named[index], count), index, place


def _words(text: str) -> frozenset[str]:
    return frozenset(WORD.findall(text.casefold()))


def _weight(words: frozenset[str], count: Counter[str]) -> float:
    return math.fsum(1 / count[word] for word in words)
