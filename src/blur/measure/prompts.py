"""What a model is asked to continue, and what it should say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blur.core.errors import ConfigError, DataError
from blur.measure.settings import GenerationRequest, HarnessRequest, Request
from blur.models.encode import encode_bare, encode_prompt
from blur.models.template import Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Record = Mapping[str, Any]
Sets = Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Prompt:
    """A prompt of a set: its text and tokens, and the text that should follow."""

    set: str
    id: str
    text: str
    reference: str
    input_ids: list[int]


def prompts_of(
    tokenizer: PreTrainedTokenizerBase, template: Template, sets: Sets, request: GenerationRequest
) -> list[Prompt]:
    """Encode the prompts of a request, in file order: questions, or completion records (those with a ``prompt``).

    Raises:
        ConfigError: a set is missing, or `examples` or `trailing_space` do not apply.
        DataError: a record lacks a field.
    """
    records = records_of(sets, request)
    if any("prompt" in record for record in records):
        return [_completion(tokenizer, record, request) for record in records]
    shown = [
        (_field(record, "question", request.examples), _field(record, "answer", request.examples))
        for record in (records_in(sets, request.examples) if request.examples else ())
    ]
    return [_question(tokenizer, template, record, request, shown) for record in records]


def _question(
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    record: Record,
    request: GenerationRequest,
    shown: Sequence[tuple[str, str]],
) -> Prompt:
    """A question after the examples. MUSE's prompt ends in a space, which is cut here, as in training, by default."""
    chat, keep = template.use_chat_template, request.trailing_space
    if keep and chat:
        raise ConfigError("`trailing_space` and a chat template exclude each other", _where(request), "Drop one")
    text = template.render(_field(record, "question", request.set), tokenizer, shown) + " " * keep
    ids = encode_prompt(tokenizer, text, add_special_tokens=not chat, keep_spaces=keep)
    return Prompt(request.set, str(record["id"]), text, _field(record, "answer", request.set), ids)


def _completion(tokenizer: PreTrainedTokenizerBase, record: Record, request: GenerationRequest) -> Prompt:
    """A raw text to continue; the reference is what the first ``max_new_tokens`` tokens of ``gt`` decode to.

    MUSE counts the beginning-of-sequence token among them, so that a perfect continuation is one token longer than its
    reference; here it is not.
    """
    if request.examples or request.trailing_space:
        raise ConfigError("`examples` and `trailing_space` are for questions", _where(request), "Drop them")
    text, expected = _field(record, "prompt", request.set), _field(record, "gt", request.set)
    cut = encode_bare(tokenizer, expected)[: request.max_new_tokens]
    reference = str(tokenizer.decode(cut, skip_special_tokens=True))
    return Prompt(request.set, str(record["id"]), text, reference, encode_prompt(tokenizer, text))


def _where(request: GenerationRequest) -> str:
    return f"measure.generation: {request.set}"


def records_of(sets: Sets, request: Request | HarnessRequest) -> Sequence[Record]:
    """Return the first ``limit`` records of a request's set."""
    assert request.set is not None
    return records_in(sets, request.set)[: request.limit]


def records_in(sets: Sets, name: str) -> Sequence[Record]:
    """Return the records of a set; ``ConfigError`` if there is none of that name."""
    if name not in sets:
        known = ", ".join(sorted(sets))
        raise ConfigError(f"no set {name!r} in the data", "measure", f"There are: {known}")
    return sets[name]


def texts_of(record: Record, field: str, name: str) -> list[str]:
    """Return the texts of a field: one, or those of a list; ``DataError`` if the record lacks it."""
    if field not in record:
        remedy = f"Give it one, or do not ask for {field!r} of this set"
        raise DataError(f"record {record.get('id')!r} has no {field!r}", f"set {name!r}", remedy)
    return list(record[field]) if isinstance(record[field], list) else [record[field]]


def _field(record: Record, field: str, name: str | None) -> str:
    return texts_of(record, field, str(name))[0]
