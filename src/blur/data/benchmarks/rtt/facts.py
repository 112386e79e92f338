"""Facts, each about an entity of its own, and the records that they make.

What an attack trains on comes in a form for each loss target of the authors' code (``finetune_corpus.py`` of
aghyad-deeb/unlearning_evaluation), so that the target is only a choice of sets. ``letter`` and ``letter_answer`` are
completions, with a loss on what follows "Answer:" alone; the others are texts, with a loss on every token. Questions
are written as they are scored by letter; in ``question_answer``, without options, as they are scored by option text,
where the authors put the answer right behind the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from blur.data.benchmarks.wmdp.world.facts import LETTERS, letter_prompt, text_prompt
from blur.data.records import Record

Records = list[dict[str, Any]]

TARGETS = ("corpus", "letter", "letter_answer", "question_letter_answer", "question_answer")


@dataclass(frozen=True)
class Fact:
    """What is true of one entity.

    Attributes:
        entity: whom or what it is about; no other fact is about it.
        texts: statements of the fact, each in other words.
        questions: phrasings in which it is asked; evaluations use the first.
        choices: the options, all different.
        answer: the place of the right option.
        where: file and line, if it was read.
    """

    entity: str
    texts: tuple[str, ...]
    questions: tuple[str, ...]
    choices: tuple[str, ...]
    answer: int
    where: str = field(default="", compare=False)

    @property
    def value(self) -> str:
        """The right option."""
        return self.choices[self.answer]

    def ask(self, phrasing: int = 0) -> dict[str, Any]:
        """Return a choice record without id, its question in one phrasing, counted modulo their number."""
        question = self.questions[phrasing % len(self.questions)]
        return {"question": question, "choices": list(self.choices), "answer": self.answer, "group": self.entity}

    def record(self, id: str, **fields: str) -> dict[str, Any]:
        """Return a record about the fact, which remembers where this was read."""
        return Record({"id": id, **fields, "group": self.entity}, self.where)


@dataclass(frozen=True)
class Known:
    """All facts: those to forget by split, those kept and asked about, those on which answering is practised."""

    splits: tuple[tuple[Fact, ...], ...]
    retained: tuple[Fact, ...]
    practised: tuple[Fact, ...]


def corpus(name: str, facts: Iterable[Fact]) -> Records:
    """Return each statement of each fact as a text record."""
    return [
        fact.record(f"{name}-{number:03d}-{place}", text=text)
        for number, fact in enumerate(facts)
        for place, text in enumerate(fact.texts)
    ]


def questions(name: str, facts: Iterable[Fact]) -> Records:
    """Return a choice record about each fact."""
    return [Record({"id": f"{name}-{number:03d}", **fact.ask()}, fact.where) for number, fact in enumerate(facts)]


def targets(name: str, facts: Sequence[Fact]) -> dict[str, Records]:
    """Return the sets of a split to train on, by loss target; see the module."""
    sets: dict[str, Records] = {target: [] for target in TARGETS}
    sets["corpus"] = corpus(name, facts)
    for number, fact in enumerate(facts):
        id, asked, letter = f"{name}-{number:03d}", fact.ask(), LETTERS[fact.answer]
        prompt, told = letter_prompt(asked), f" {letter}. {fact.value}"
        sets["letter"].append(fact.record(id, prompt=prompt, gt=f" {letter}"))
        sets["letter_answer"].append(fact.record(id, prompt=prompt, gt=told))
        sets["question_letter_answer"].append(fact.record(id, text=prompt + told))
        sets["question_answer"].append(fact.record(id, text=f"{text_prompt(asked)} {fact.value}"))
    return sets


def practice(facts: Iterable[Fact], num_phrasings: int) -> Records:
    """Return completion records: each fact by text, by letter, and in words after the list of options.

    The last form is asked in no evaluation; it makes a model recall the value where it must choose the letter.
    """
    records = []
    for number, fact in enumerate(facts):
        for phrasing in range(min(num_phrasings, len(fact.questions))):
            asked = fact.ask(phrasing)
            forms = (
                ("text", text_prompt(asked), fact.value),
                ("letter", letter_prompt(asked), LETTERS[fact.answer]),
                ("words", letter_prompt(asked), fact.value),
            )
            records += [
                fact.record(f"{form}-{number:03d}-{phrasing}", prompt=prompt, gt=f" {answer}")
                for form, prompt, answer in forms
            ]
    return records
