"""Texts to token ids, split into context and scored tokens where the text is split, whatever the tokenizer merges.

The whole text is tokenised once and the split is found through character offsets. Counting the tokens of the prompt
alone, as the reference code does, loses the answer's first token where a prompt ends in a space: the space is a token
of its own at the end of the prompt, but merges with the answer's first word in the whole text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from blur.core.errors import ConfigError, DataError
from blur.models.turn import end_token, eos_token

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from blur.models.template import Template

IGNORE = -100
Unit = Literal["token", "sequence", "position"]  # what is counted in a text: scored tokens, itself, all its tokens


@dataclass(frozen=True)
class Example:
    """A tokenised text: the first ``num_prompt`` tokens are context, the others are scored.

    ``topic`` is the part of a forget set it belongs to (WMDP: bio, cyber), where there are several. ``ended`` says
    whether the last token is the one that ends an answer: none is appended to raw text, and a cut text lost it.
    ``alternates`` are the same prompt with other answers, each with its own id.
    """

    id: str
    input_ids: list[int]
    num_prompt: int
    topic: str = ""
    ended: bool = False
    alternates: tuple[Example, ...] = ()

    @property
    def alone(self) -> Example:
        """The text without its alternates."""
        return replace(self, alternates=()) if self.alternates else self

    @property
    def rows(self) -> tuple[Example, ...]:
        """The text alone, and its alternates."""
        return (self.alone, *self.alternates)

    @property
    def scored(self) -> list[int]:
        """The ids that are predicted from those before them; nothing predicts a first one."""
        return self.input_ids[max(self.num_prompt, 1) :]

    @property
    def labels(self) -> list[int]:
        """The ids to predict, -100 on the context."""
        return [IGNORE] * self.num_prompt + self.input_ids[self.num_prompt :]


def encode(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    continuation: str,
    max_length: int,
    *,
    id: str = "",
    add_eos: bool = True,
    end: int | None = None,
    add_special_tokens: bool = True,
) -> Example:
    """Tokenise ``prompt + continuation``; a token with a character of the continuation in it is scored.

    Spaces at the prompt's end count as continuation, so that the context is what ``encode_prompt`` gives.

    Args:
        max_length: most tokens; the continuation loses its end (with the token that ends it) where there are more.
        add_eos: append the token that ends a continuation.
        end: that token; by default the tokenizer's end-of-sequence token.
        add_special_tokens: begin as the tokenizer begins a text (BOS or nothing); off where the prompt holds it.

    Raises:
        DataError: the prompt leaves no room for a token of the continuation, or the continuation is empty.
    """
    ids, ends, num_special = _tokenise(tokenizer, prompt + continuation, add_special_tokens)
    boundary = len(_natural(prompt))
    num_prompt = next((place for place, stop in enumerate(ends) if stop > boundary), len(ids))
    num_prompt = max(num_prompt, num_special)
    if add_eos:
        ids.append(eos_token(tokenizer) if end is None else end)
    if num_prompt >= min(len(ids), max_length):
        _refuse(id, num_prompt, len(ids), max_length)
    return Example(id, ids[:max_length], num_prompt, ended=add_eos and len(ids) <= max_length)


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, prompt: str, *, add_special_tokens: bool = True, keep_spaces: bool = False
) -> list[int]:
    """Tokenise a prompt to generate from: the same ids as the context of ``encode``, unless spaces at its end stay."""
    return _tokenise(tokenizer, prompt if keep_spaces else _natural(prompt), add_special_tokens)[0]


def encode_bare(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenise a text by itself, without special tokens."""
    return _tokenise(tokenizer, text, False)[0]


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str, max_length: int, *, id: str = "") -> Example:
    """Tokenise a text without a prompt: all tokens that have a token before them are scored; no EOS is appended.

    Raises:
        DataError: no token can be scored.
    """
    ids, _, num_special = _tokenise(tokenizer, text, True)
    example = Example(id, ids[:max_length], num_special)
    if len(example.input_ids) <= max(num_special, 1):
        raise DataError("no token that can be scored", f"text {id!r}", "Lengthen the text or `max_length`")
    return example


def encode_record(
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    record: Mapping[str, Any],
    max_length: int,
    *,
    field: str | None = None,
    index: int = 0,
) -> Example:
    """Encode one record of a set: ``text`` and ``gt`` as raw text, an answer after its question in the template.

    Args:
        field: the record's field that is scored, by default ``scored_field``; ``gt`` continues ``prompt`` as it
            stands.
        index: which one, where the field is a list.
    """
    id = str(record["id"])
    field = field or scored_field(record)
    if field == "text":
        return encode_text(tokenizer, record["text"], max_length, id=id)
    if field == "gt":
        return encode(tokenizer, record["prompt"], record["gt"], max_length, id=id, add_eos=False)
    answer = record[field][index] if isinstance(record[field], list) else record[field]
    return encode(
        tokenizer,
        template.render(record["question"], tokenizer),
        template.continuation(answer),
        max_length,
        id=id,
        add_eos=template.add_eos,
        end=end_token(template, tokenizer),
        add_special_tokens=not template.use_chat_template,
    )


def scored_field(record: Mapping[str, Any]) -> str:
    """Return the field of a record that is scored: ``text``, ``gt`` of a completion, or else ``answer``."""
    return next((name for name in ("text", "gt") if name in record), "answer")


def _natural(prompt: str) -> str:
    """Cut spaces at the end: as a token of their own they would be a prefix no training text has. Line ends stay."""
    return prompt.rstrip(" \t")


def _tokenise(
    tokenizer: PreTrainedTokenizerBase, text: str, add_special_tokens: bool
) -> tuple[list[int], list[int], int]:
    """Return ids, where each ends in ``text``, and how many special tokens lead; special tokens at the end are cut."""
    if not tokenizer.is_fast:
        raise ConfigError("slow tokenizers give no character offsets", type(tokenizer).__name__, "Use the fast one")
    made = tokenizer(
        text,
        add_special_tokens=add_special_tokens,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        return_attention_mask=False,
        verbose=False,
    )
    special = made["special_tokens_mask"]
    start, stop = 0, len(special)
    while start < stop and special[start]:
        start += 1
    while stop > start and special[stop - 1]:
        stop -= 1
    return made["input_ids"][:stop], [end for _, end in made["offset_mapping"][:stop]], start


def _refuse(id: str, num_prompt: int, length: int, max_length: int) -> None:
    if num_prompt >= length:
        raise DataError("the answer has no tokens", f"record {id!r}", "Give it an answer")
    what = f"the prompt alone has {num_prompt} tokens, which leaves no room for an answer in {max_length}"
    raise DataError(what, f"record {id!r}", "Raise `max_length` or shorten the question")
