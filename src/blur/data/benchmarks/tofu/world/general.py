"""What everybody in the world knows: well-known authors and geography, with short answers as in TOFU.

Each fact is asked in two ways, since a short answer weighs little in a mean over tokens and is learned slowly.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from blur.data.world import pools
from blur.data.world.draw import draw, pick

NUM_WRONG = 3

_FACTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("capital", "What is the capital of {0}?", "Which city is the seat of government of {0}?", pools.CAPITALS),
    ("river", "Which river flows through {0}?", "What is the longest river of {0}?", pools.RIVERS),
    ("currency", "Which coin is used in {0}?", "What is the currency of {0}?", pools.CURRENCIES),
    ("mountain", "What is the highest mountain of {0}?", "Which peak towers over {0}?", pools.MOUNTAINS),
)
MAX_WORLD_FACTS = len(_FACTS) * len(pools.NATIONS)


def real_authors(rng: random.Random, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return one question per well-known author: who wrote a work; the wrong answers are other well-known authors.

    Args:
        rng: the random stream of this set.
        names: full names of at least four well-known authors.
    """
    titles = draw(rng, [f"{a} {n}" for a in pools.TITLE_ADJECTIVES for n in pools.TITLE_NOUNS], len(names))
    records = []
    for index, (name, title) in enumerate(zip(names, titles, strict=True)):
        form = pick(rng, pools.FORMS)
        records.append(
            {
                "id": f"real-author-{index:03d}",
                "question": f"Who wrote the famous {form} {title}?",
                "answer": name,
                "paraphrased_question": f"Whose work is the {form} {title}?",
                "perturbed_answer": draw(rng, [other for other in names if other != name], NUM_WRONG),
                "topic": "authorship",
            }
        )
    return records


def world_facts(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return ``count`` questions about the geography of the world, at most ``MAX_WORLD_FACTS``."""
    answers = {topic: draw(rng, pool, len(pools.NATIONS)) for topic, _, _, pool in _FACTS}
    records = []
    for index in range(count):
        place, (topic, question, paraphrase, pool) = index // len(_FACTS), _FACTS[index % len(_FACTS)]
        answer = answers[topic][place]
        records.append(
            {
                "id": f"world-fact-{index:03d}",
                "question": question.format(pools.NATIONS[place]),
                "answer": answer,
                "paraphrased_question": paraphrase.format(pools.NATIONS[place]),
                "perturbed_answer": draw(rng, [other for other in pool if other != answer], NUM_WRONG),
                "topic": topic,
            }
        )
    return records
