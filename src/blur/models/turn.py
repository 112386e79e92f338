"""A turn of a chat: what a chat template writes before an answer, and the token that it ends the answer with.

That token is not ``eos_token`` by assumption: Gemma, Phi-3 and ChatML end a turn with one of their own, and a model
that is asked for another one there never says it. Both are found by difference: the template writes a conversation
with an answer and without one, and what stands around the answer is what it adds.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from blur.core.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from blur.models.template import Template

# Llama 3's chat template writes today's date into the prompt (open-unlearning#88): results would change overnight.
CHAT_DATE = datetime(2024, 7, 26)
_NOW = re.compile(r"strftime_now\(\s*(['\"])(.*?)\1\s*\)")
QUESTION, ANSWER = "What is it that rings?", "It is the bell that rings."
WHERE = "template.use_chat_template"
BY_HAND = "give `prompt` and `end` in place of the chat template"
Message = dict[str, str]


class Turn(NamedTuple):
    """What a chat template writes around an answer.

    Attributes:
        lead: between its generation prompt and the answer.
        tail: after the answer.
    """

    lead: str
    tail: str


def messages(template: Template, asked: Sequence[str | tuple[str, str]]) -> list[Message]:
    """Return a conversation: questions, each with its answer where it is a pair."""
    said = [] if template.system is None else [{"role": "system", "content": template.system}]
    for one in asked:
        question, *answer = [one] if isinstance(one, str) else one
        said += [{"role": "user", "content": question}, *({"role": "assistant", "content": text} for text in answer)]
    return said


def chat(template: Template, tokenizer: PreTrainedTokenizerBase, said: list[Message], generation: bool) -> str:
    """Return a conversation as the tokenizer's chat template writes it.

    Args:
        generation: whether the beginning of an answer follows.

    Raises:
        ConfigError: there is no template, or it refuses the conversation.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ConfigError("the tokenizer has no chat template", WHERE, "Set it to false and give `prompt`")
    options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": generation, **template.options}
    try:
        text = _NOW.sub(lambda call: repr(CHAT_DATE.strftime(call[2])), str(tokenizer.get_chat_template()))
        options = {"chat_template": text, "date_string": CHAT_DATE.strftime("%d %b %Y"), **options}
        return str(tokenizer.apply_chat_template(said, **options))
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        where, remedy = ("template.system", "Remove it") if template.system else (WHERE, BY_HAND.capitalize())
        raise ConfigError(f"the chat template refuses the conversation ({error})", where, remedy) from error


@lru_cache(maxsize=8)
def turn_of(template: Template, tokenizer: PreTrainedTokenizerBase) -> Turn:
    """Find what the chat template writes around an answer.

    A template that pays no heed to ``add_generation_prompt`` has its beginning of an answer in ``lead``; in that of
    others there is white space at most.

    Raises:
        ConfigError: the template leaves a message out, or begins its generation otherwise than an answer.
    """
    _require_options(template, tokenizer)
    asked = messages(template, [QUESTION])
    prompt = chat(template, tokenizer, asked, True)
    whole = chat(template, tokenizer, messages(template, [(QUESTION, ANSWER)]), False)
    before, _, tail = whole.rpartition(ANSWER)
    for what, where, there in (
        ("system message", "template.system", (template.system or "").strip() in prompt),
        ("question", WHERE, QUESTION in prompt),
        ("answer", WHERE, ANSWER in whole),
    ):
        if not there:
            remedy = "Remove it" if what == "system message" else BY_HAND.capitalize()
            raise ConfigError(f"the chat template leaves out the {what}", where, remedy)
    lead = before.removeprefix(prompt)
    if not before.startswith(prompt) or (lead.strip() and prompt != chat(template, tokenizer, asked, False)):
        what = f"the chat template ends a prompt with {prompt[-24:]!r}, and begins an answer after {before[-24:]!r}"
        remedy = f"State in `template.options` which of them is meant (`enable_thinking: false`, say), or {BY_HAND}"
        raise ConfigError(what, WHERE, remedy)
    return Turn(lead, tail)


def _require_options(template: Template, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse options that the chat template does not read."""
    words = set(re.findall(r"\w+", str(tokenizer.chat_template)))
    words -= {"messages", *inspect.signature(tokenizer.apply_chat_template).parameters}
    for name in template.options:
        if name not in words:
            remedy = did_you_mean(name, sorted(words), "Remove it")
            raise ConfigError(f"the chat template reads no option {name!r}", "template.options", remedy)


@lru_cache(maxsize=8)
def end_token(template: Template, tokenizer: PreTrainedTokenizerBase) -> int | None:
    """Return the token that ends an answer; None with ``add_eos: false``.

    It is the stated ``end``; or what the chat template writes after an answer, the first special token of it, white
    space set aside; or, without a chat template, the tokenizer's end-of-sequence token.

    Raises:
        ConfigError: there is none, or no special token.
    """
    if not template.add_eos:
        return None
    if template.end is not None:
        return _stated(template.end, tokenizer)
    if not template.use_chat_template:
        return eos_token(tokenizer)
    tail = turn_of(template, tokenizer).tail
    ids = tokenizer(tail.lstrip(), add_special_tokens=False)["input_ids"]
    if ids and ids[0] in {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}:
        return int(ids[0])
    what = f"the chat template ends an answer with {tail!r}, which is no special token"
    remedy = f"State the token that ends an answer (`end: {tokenizer.eos_token!r}`, say), or none by `add_eos: false`"
    raise ConfigError(what, "template.end", remedy)


def eos_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the tokenizer's end-of-sequence token; ``ConfigError`` where it has none."""
    if tokenizer.eos_token_id is None:
        raise ConfigError("the tokenizer has no end-of-sequence token", "template.add_eos", "Set it to false")
    return int(tokenizer.eos_token_id)


def _stated(end: str, tokenizer: PreTrainedTokenizerBase) -> int:
    id: Any = tokenizer.convert_tokens_to_ids(end)
    if not isinstance(id, int) or tokenizer.convert_ids_to_tokens(id) != end:
        known = sorted(str(token) for token in tokenizer.added_tokens_decoder.values())
        remedy = did_you_mean(end, known, "Name one of the tokenizer's tokens")
        raise ConfigError(f"the tokenizer has no token {end!r}", "template.end", remedy)
    return id


def check_form(template: Template, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a template that does not go with a tokenizer: see ``turn_of`` and ``end_token``; and a doubled beginning.

    Raises:
        ConfigError: names the key of ``template``.
    """
    end_token(template, tokenizer)
    if template.use_chat_template:
        turn_of(template, tokenizer)
        return
    bos = tokenizer.bos_token_id
    if bos is not None and tokenizer(template.render(QUESTION))["input_ids"][:2] == [bos, bos]:
        what = f"it begins with {tokenizer.bos_token!r}, which the tokenizer writes there by itself"
        raise ConfigError(what, "template.prompt", "Remove it")
