"""Tokenizers in the forms of the real ones, trained on sentences of ``words``.

Llama-2's and Zephyr's are SentencePiece BPE as transformers converts it: spaces as U+2581, one in front, an unknown
character as its bytes, `<s>` before each text. Llama-3's is byte-level, with its special tokens after all others.
Chat templates write the turns of the real ones.
"""

from __future__ import annotations

import json
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from tests.hub.published.words import text

SIZE = 700
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LLAMA_3_SPECIAL = ("begin_of_text", "end_of_text", "start_header_id", "end_header_id", "eom_id", "eot_id")
_TURNS = "{% for message in messages %}"

LLAMA_2_CHAT = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = '' %}{% endif %}" + _TURNS + "{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + (system if loop.first else '') + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
ZEPHYR = (
    _TURNS + "{{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}{% endfor %}"
)
# The real one tells the date as well, today's where nobody says another.
LLAMA_3 = (
    "{{ bos_token }}{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = '' %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\nToday Date: '"
    " + date_string + '\\n\\n' + system + '<|eot_id|>' }}" + _TURNS + "{{ '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\\n\\n' + message['content'].strip() + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)


def llama_2() -> Any:
    """Return the tokenizer of Llama-2's base model, which has no chat template."""
    return _sentencepiece(None)


def llama_2_chat() -> Any:
    """Return Llama-2-chat's."""
    return _sentencepiece(LLAMA_2_CHAT)


def zephyr() -> Any:
    """Return Zephyr's, which pads with the end of a text."""
    return _sentencepiece(ZEPHYR, pad_token="</s>")


def llama_3() -> Any:
    """Return Llama-3's."""
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    digits = pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learner = trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(_texts(), learner)
    made.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in LLAMA_3_SPECIAL])
    made.post_processor = _begins_with(made, "<|begin_of_text|>")
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        chat_template=LLAMA_3,
        model_max_length=131072,
    )


def _sentencepiece(template: str | None, **special: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    space = "▁"
    learned = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    learned.pre_tokenizer = pre_tokenizers.Metaspace(replacement=space, prepend_scheme="always")
    first = ["<unk>", "<s>", "</s>", *BYTES]
    learner = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=first, show_progress=False)
    learned.train_from_iterator(_texts(), learner)
    made = _without_added(learned)
    made.normalizer = normalizers.Sequence([normalizers.Prepend(space), normalizers.Replace(" ", space)])
    made.decoder = decoders.Sequence(
        [decoders.Replace(space, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.post_processor = _begins_with(made, "<s>")
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", chat_template=template, **special
    )


def _without_added(learned: Tokenizer) -> Tokenizer:
    """Return the same pieces, of which the bytes are pieces and no special tokens, without a rule for words."""
    told = json.loads(learned.to_str())
    told["added_tokens"] = told["added_tokens"][:3]
    told["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(told))


def _begins_with(made: Tokenizer, token: str) -> Any:
    pair = f"{token} $A {token} $B"
    return processors.TemplateProcessing(f"{token} $A", pair, [(token, made.token_to_id(token))])


def _texts() -> list[str]:
    return [text(f"tokenizer {number}", 8) for number in range(60)]
