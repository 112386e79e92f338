"""Which texts are looked at, and how a model is asked about them."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blur.attacks.point import entity
from blur.attacks.prompts.prefix import Way as Prefix
from blur.attacks.prompts.template import Way as Reworded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from blur.models import LoadedModel

Record = Mapping[str, Any]
# Other words around a question; of all of them, a record's paraphrase among them, the answer that tells most counts.
WORDINGS = (
    "Please tell me what you know about this. {question}",
    "{question} Answer in one sentence.",
    "I forgot the answer and need your help: {question}",
)


def drawn(records: Sequence[Record], most: int, seed: int) -> list[Record]:
    """Return at most ``most`` records in their order, whole groups drawn by lot; a larger group may be cut."""
    if len(records) <= most:
        return list(records)
    groups = sorted({entity(record) for record in records})
    random.Random(seed).shuffle(groups)
    place = {group: number for number, group in enumerate(groups)}
    ranked = sorted(range(len(records)), key=lambda number: place[entity(records[number])])
    return [records[number] for number in sorted(ranked[:most])]


def halves(records: Sequence[Record], seed: int) -> tuple[list[Record], list[Record]]:
    """Return two halves that share no group, the first at least as large; of a single group, halves of its records."""
    groups = sorted({entity(record) for record in records})
    whose = entity if len(groups) > 1 else lambda record: str(record["id"])
    units = sorted({whose(record) for record in records})
    random.Random(seed).shuffle(units)
    first = set(units[: -(-len(units) // 2)])
    return [one for one in records if whose(one) in first], [one for one in records if whose(one) not in first]


def continued(record: Record, tokenizer: PreTrainedTokenizerBase, tokens: int, share: float) -> dict[str, Any] | None:
    """Return the beginning of a document as a prompt, and what follows it, cut between words.

    Args:
        tokens: of the document that are looked at.
        share: of them that are given.

    Returns:
        A completion record; None for a document too short to be cut.
    """
    text = str(record["text"])
    made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    spans = made["offset_mapping"][:tokens]
    if not spans:
        return None
    end, wanted = spans[-1][1], spans[int(len(spans) * share)][0]
    breaks = [found.start() for found in re.finditer(r"\s+", text[:end]) if 0 < found.start() <= wanted]
    if not breaks or not text[breaks[-1] : end].strip():
        return None
    rest = {key: value for key, value in record.items() if key != "text"}
    return {**rest, "prompt": text[: breaks[-1]], "gt": text[breaks[-1] : end]}


def reworded(record: Record, loaded: LoadedModel) -> list[dict[str, Any]]:
    """Return a question in other words; its paraphrase first, where it has one."""
    asked = [Reworded(text=text).rewrite(record, loaded) for text in WORDINGS]
    own = record.get("paraphrased_question")
    return [*([{**record, "question": own}] if own else []), *asked]


def hinted(record: Record, loaded: LoadedModel) -> dict[str, Any] | None:
    """Return a question with the first half of its answer's words given; None for an answer of one word."""
    return Prefix(share=0.5).rewrite(record, loaded)
