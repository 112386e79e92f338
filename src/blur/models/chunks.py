"""Long texts as training examples: cut into chunks of ``max_length`` tokens, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from blur.core.errors import DataError
from blur.models.encode import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def chunks(
    tokenizer: PreTrainedTokenizerBase, record: Mapping[str, Any], max_length: int, topic: str = ""
) -> list[Example]:
    """Return a text record as chunks whose lengths differ by at most one token, each beginning as a text begins.

    Raises:
        DataError: no token of the text can be scored.
    """
    lead, ids = _tokens(tokenizer, record["text"])
    room = max_length - len(lead)
    count = max(1, -(-len(ids) // room))
    bounds = [len(ids) * place // count for place in range(count + 1)]
    parts = [ids[start:stop] for start, stop in pairwise(bounds)]
    names = [str(record["id"])] if count == 1 else [f"{record['id']}#{place}" for place in range(count)]
    return _examples(lead, parts, names, topic)


def packed(
    tokenizer: PreTrainedTokenizerBase, records: Iterable[Mapping[str, Any]], max_length: int, topic: str = ""
) -> list[Example]:
    """Return the records' texts, one after another with a blank line between, as full chunks; the last may be shorter.

    So MUSE's trainer reads a corpus (its ``forget.txt``: 2048 tokens a chunk), borders of documents set aside.
    """
    kept = list(records)
    if not kept:
        return []
    lead, ids = _tokens(tokenizer, "\n\n".join(str(record["text"]) for record in kept))
    room = max_length - len(lead)
    parts = [ids[start : start + room] for start in range(0, len(ids), room)]
    if len(parts) > 1 and len(lead) + len(parts[-1]) < 2:
        parts.pop()
    return _examples(lead, parts, [f"{kept[0]['id']}+{place}" for place in range(len(parts))], topic)


def _tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[int]]:
    """Return the special tokens that begin a text, and the text's own tokens."""
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    bos = tokenizer.bos_token_id
    begins = tokenizer("a", verbose=False)["input_ids"][:1] == [bos]
    return ([bos] if begins and bos is not None else []), ids


def _examples(lead: list[int], parts: Sequence[list[int]], names: Sequence[str], topic: str) -> list[Example]:
    for part, name in zip(parts, names, strict=True):
        if len(lead) + len(part) < 2 or not part:
            raise DataError("no token that can be scored", f"text {name!r}", "Lengthen the text or `max_length`")
    return [Example(name, [*lead, *part], len(lead), topic) for name, part in zip(names, parts, strict=True)]
