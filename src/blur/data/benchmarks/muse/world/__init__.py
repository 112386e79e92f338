"""A generator of MUSE's form: documents about the people of a fictitious world, and questions about the facts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blur.data.benchmarks.muse.world.books import BOOKS
from blur.data.benchmarks.muse.world.forms import Corpus, Topic, Value
from blur.data.benchmarks.muse.world.news import NEWS
from blur.data.benchmarks.muse.world.writing import (
    CAST,
    MIN_WORDS,
    Plan,
    Words,
    count_slots,
    deal_values,
    deal_words,
    plans,
    row,
    shuffle_words,
    twin_values,
    vocabulary,
    write,
)
from blur.data.world import pools
from blur.data.world.draw import draw, stream
from blur.data.world.names import full_names

CORPORA: dict[str, Corpus] = {"news": NEWS, "books": BOOKS}
NUM_FOLDS = 4
_GEOGRAPHY = (
    ("capital", "What is the capital of {}?", pools.CAPITALS),
    ("river", "Which river flows through {}?", pools.RIVERS),
)

Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Cast:
    """A few people who appear together: their names, their values by topic, and the documents about them."""

    number: int
    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]
    documents: tuple[str, ...]

    @property
    def group(self) -> str:
        """The group of all records about these people."""
        return f"cast-{self.number:03d}"


def generate(
    *, corpus: str, seed: int, num_people: int, num_retain1: int, num_retain2: int, num_examples: int
) -> dict[str, Records]:
    """Generate the sets of MUSE from one world, but for those that repeat others.

    ``folds`` holds the folds 2 to 4 one after another, equally long; ``retain_qa`` asks about the people of
    ``retain2``, the practice about those of ``retain1``. The bounds on the arguments are those of ``WorldSource``.
    """
    form = CORPORA[corpus]
    sizes = [size // CAST for size in (num_retain1, num_retain2, (NUM_FOLDS - 1) * num_people)]
    known = _known(seed)
    kept, forget, holdout = _casts(form, seed, sizes, num_people // CAST, known, num_examples)
    retain1, retain2, folds = _cut(kept, sizes)
    asked = _asked(form, retain1, every=True)
    return {
        "forget": _documents(forget),
        "folds": _documents(folds),
        "retain1": _documents(retain1),
        "retain2": _documents(retain2),
        "holdout": _documents(holdout),
        "forget_qa": _asked(form, forget),
        "retain_qa": _asked(form, retain2),
        "forget_qa_icl": known[:num_examples],
        "retain_qa_icl": known[num_examples : 2 * num_examples],
        "practice": _exercises(seed, draw(stream(seed, "asked"), asked, len(asked)), known, num_examples),
    }


def _casts(
    form: Corpus, seed: int, sizes: Sequence[int], size: int, known: Records, num_known: int
) -> tuple[list[Cast], list[Cast], list[Cast]]:
    """Make up the casts kept (as many as ``sizes`` say, the last of them folds), to forget, and held out."""
    num_kept = sum(sizes)
    names = _names(seed, CAST * num_kept, CAST * size)
    others, folds = num_kept - sizes[-1], sizes[-1]
    rows = [row(record["question"], record["answer"]) for record in known]
    kept = [
        *plans(seed, "kept", form.kept, others, rows, num_known),
        *plans(seed, "folds", [form.forget], folds, rows, num_known),
    ]
    forget = plans(seed, "forget", [form.forget], size, rows, num_known)
    used = vocabulary(seed, count_slots(kept))
    words = deal_words(seed, "forget", used, count_slots(forget))
    twins = shuffle_words(seed, "holdout", words)
    values: list[list[list[Value]]] = [[], [], []]
    for topic in form.topics:
        slots = _slots(seed, topic, CAST * num_kept)
        values[0].append(deal_values(seed, "kept", topic, slots, CAST * num_kept))
        values[1].append(deal_values(seed, "forget", topic, slots, CAST * size))
        values[2].append(twin_values(seed, topic, values[1][-1]))
    return (
        _write(0, names, kept, values[0], deal_words(seed, "kept", used, count_slots(kept))),
        _write(num_kept, names, forget, values[1], words),
        _write(num_kept + size, names, forget, values[2], twins),
    )


def _names(seed: int, num_kept: int, count: int) -> list[str]:
    """Return the names of the people kept, of ``count`` to forget, and of as many to hold out.

    Their halves come up about four times among the people kept. Shuffled, since ``full_names`` puts like names side by
    side: casts of neighbours had the same halves again and again, those to forget more so than those held out (AUC 0.61
    by a model that saw neither).
    """
    names = full_names(seed, num_kept + 2 * count, num_kept // 2)
    kept = draw(stream(seed, "kept names"), names[:num_kept], num_kept)
    return [*kept, *draw(stream(seed, "other names"), names[num_kept:], 2 * count)]


def _slots(seed: int, topic: Topic, num_kept: int) -> list[list[str]]:
    """Return the words a world uses in each slot of a topic; each comes up twice or more among the kept people."""
    return [
        draw(stream(seed, "values", topic.name, k), pool, size)
        for k, (pool, size) in enumerate(zip(topic.slots, _slot_sizes(topic, num_kept), strict=True))
    ]


def _slot_sizes(topic: Topic, num_kept: int) -> list[int]:
    return [min(len(pool), max(MIN_WORDS, num_kept // 2)) for pool in topic.slots]


def _write(
    first: int, names: Sequence[str], written: Sequence[Plan], values: Sequence[Sequence[Value]], words: Words
) -> list[Cast]:
    """Write the documents of casts numbered from ``first``; ``values`` go by topic and person."""
    people = list(zip(*values, strict=True))
    casts = []
    for turn, plan in enumerate(written):
        called = tuple(names[(first + turn) * CAST : (first + turn + 1) * CAST])
        own = tuple(people[turn * CAST : (turn + 1) * CAST])
        casts.append(Cast(first + turn, called, own, tuple(write(plan, called, own, words))))
    return casts


def _cut(casts: Sequence[Cast], sizes: Sequence[int]) -> list[list[Cast]]:
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes))]
    return [list(casts[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _documents(casts: Sequence[Cast]) -> Records:
    return [
        {"id": f"{cast.group}-d{k:02d}", "text": text, "group": cast.group}
        for cast in casts
        for k, text in enumerate(cast.documents)
    ]


def _asked(form: Corpus, casts: Sequence[Cast], every: bool = False) -> Records:
    """Return a question about each fact; in each wording if ``every``, else in one, which changes with the person.

    The next wording is its paraphrase.
    """
    return [
        {
            "id": f"{cast.group}-p{person}-{topic.name}-{k}",
            "question": topic.questions[k].format(name=cast.names[person]),
            "paraphrased_question": topic.questions[(k + 1) % len(topic.questions)].format(name=cast.names[person]),
            "answer": " ".join(cast.values[person][number]),
            "group": cast.group,
            "topic": topic.name,
        }
        for cast in casts
        for person in range(CAST)
        for number, topic in enumerate(form.topics)
        for k in range(len(topic.questions))
        if every or k == (person + number) % len(topic.questions)
    ]


def _exercises(seed: int, asked: Records, known: Records, num_examples: int) -> Records:
    """Return the known questions, and texts that end in one of those asked, half of them after ``num_examples`` known.

    What comes before tells nothing about the answer: else a small model learns what follows what, and not to read the
    question.
    """
    texts = [row(record["question"], record["answer"]) for record in known]
    for k, record in enumerate(asked):
        before = draw(stream(seed, "practice", k), known, num_examples if k % 2 else k // 2 % (num_examples + 1))
        texts.append("".join(row(shown["question"], shown["answer"]) for shown in [*before, record]))
    return [{"id": f"practice-{k:04d}", "text": text} for k, text in enumerate(texts)]


def _known(seed: int) -> Records:
    """Return questions about the geography of the world, which everybody knows."""
    rows = []
    for topic, question, pool in _GEOGRAPHY:
        places = draw(stream(seed, topic), pool, len(pools.NATIONS))
        rows += [
            {"id": f"{topic}-{k:02d}", "question": question.format(nation), "answer": place, "topic": topic}
            for k, (nation, place) in enumerate(zip(pools.NATIONS, places, strict=True))
        ]
    return draw(stream(seed, "geography"), rows, len(rows))


def chance(corpus: str, num_kept: int) -> dict[str, float]:
    """Return what a model can reach that knows all words in use but not the person asked about.

    Keys: ``guess_value``: probability of guessing an answer, mean over the topics; ``guess_value_max``: the same for
    the easiest topic; ``guess_word``: of guessing one word of an answer, which is the expected ROUGE-L F1 of a guess.
    """
    sizes = [_slot_sizes(topic, num_kept) for topic in CORPORA[corpus].topics]
    values = [1 / math.prod(slots) for slots in sizes]
    words = [math.fsum(1 / size for size in slots) / len(slots) for slots in sizes]
    return {
        "guess_value": math.fsum(values) / len(values),
        "guess_value_max": max(values),
        "guess_word": math.fsum(words) / len(words),
    }
