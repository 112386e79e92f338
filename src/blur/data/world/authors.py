"""Fictitious authors: a unique name, one value per attribute, two questions per attribute."""

from __future__ import annotations

import random
from typing import Any

from blur.data.world.draw import draw, pick
from blur.data.world.facts import ATTRIBUTES, NUM_PHRASINGS, Attribute

NUM_PERTURBED = 5
QUESTIONS_PER_ATTRIBUTE = 2
MAX_QUESTIONS = QUESTIONS_PER_ATTRIBUTE * len(ATTRIBUTES)


def author_records(
    rng: random.Random, name: str, group: str, turn: int, questions_per_author: int
) -> list[dict[str, Any]]:
    """Return one author's questions, in the record form of TOFU.

    An attribute's five phrasings take turns from author to author: two are asked and learned, two others serve as
    the paraphrases. So every phrasing is familiar from other authors, and a paraphrase asks for the fact, not the string.

    Args:
        rng: the author's own random stream.
        name: full name.
        group: the author's id.
        turn: the author's position in its split; five authors in a row ask each phrasing equally often.
        questions_per_author: an even number, at most ``MAX_QUESTIONS``.
    """
    records: list[dict[str, Any]] = []
    for position, attribute in enumerate(ATTRIBUTES[: questions_per_author // QUESTIONS_PER_ATTRIBUTE]):
        value = tuple(pick(rng, pool) for pool in attribute.slots)
        first = turn + position
        for asked, told in ((first, first + 1), (first + 2, first + 3)):
            record = _record(rng, attribute, value, name, asked % NUM_PHRASINGS, told % NUM_PHRASINGS)
            records.append({"id": f"{group}-q{len(records):02d}", **record, "group": group, "topic": attribute.topic})
    return records


def _record(
    rng: random.Random, attribute: Attribute, value: tuple[str, ...], name: str, phrasing: int, paraphrase: int
) -> dict[str, Any]:
    # The truth and the wrong values differ in every slot from one another, so a guesser sees six equals.
    wrong = zip(
        *(
            draw(rng, [word for word in pool if word != true], NUM_PERTURBED)
            for pool, true in zip(attribute.slots, value, strict=True)
        ),
        strict=True,
    )
    return {
        "question": attribute.ask(phrasing, name),
        "answer": attribute.tell(phrasing, name, value),
        "paraphrased_question": attribute.ask(paraphrase, name),
        "paraphrased_answer": attribute.tell(paraphrase, name, value),
        "perturbed_answer": [attribute.tell(paraphrase, name, other) for other in wrong],
    }
