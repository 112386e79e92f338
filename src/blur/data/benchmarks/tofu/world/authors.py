"""Fictitious authors: a unique name, one value per attribute, two questions per attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blur.data.benchmarks.tofu.world.facts import NUM_PHRASINGS, Attribute, Value
from blur.data.benchmarks.tofu.world.values import Slots, wrong_values
from blur.data.world.draw import stream


def tell(
    seed: int, attribute: Attribute, position: int, slots: Slots, names: Sequence[str], values: Sequence[Value]
) -> list[list[dict[str, Any]]]:
    """Return two records about ``attribute`` for each author, in the form of TOFU but for ``id`` and ``group``.

    The five phrasings take turns from author to author: two are asked and learned, two others serve as the paraphrases.
    So every phrasing is familiar from other authors, and a paraphrase asks for the fact, not for the string.

    Args:
        seed: the world's seed.
        attribute: the kind of fact.
        position: its number, so that an author's attributes are asked in differing phrasings.
        slots: the words in use, for wrong answers.
        names: full names of the authors of one split.
        values: their values.
    """
    facts = []
    for turn, (name, value) in enumerate(zip(names, values, strict=True)):
        first = turn + position
        facts.append(
            [
                _record(seed, attribute, slots, name, value, asked % NUM_PHRASINGS, told % NUM_PHRASINGS)
                for asked, told in ((first, first + 1), (first + 2, first + 3))
            ]
        )
    return facts


def _record(
    seed: int, attribute: Attribute, slots: Slots, name: str, value: Value, phrasing: int, paraphrase: int
) -> dict[str, Any]:
    wrong = wrong_values(stream(seed, "wrong", name, attribute.topic, phrasing), slots, value)
    return {
        "question": attribute.ask(phrasing, name),
        "answer": attribute.tell(phrasing, name, value),
        "paraphrased_question": attribute.ask(paraphrase, name),
        "paraphrased_answer": attribute.tell(paraphrase, name, value),
        "perturbed_answer": [attribute.tell(paraphrase, name, other) for other in wrong],
        "topic": attribute.topic,
    }
