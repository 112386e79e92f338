"""The token that ends a turn, and what stands before an answer, in templates of the form of known families."""

from __future__ import annotations

import pytest
import torch
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from blur.core.errors import ConfigError
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.models import Template, build_from_config, train_tokenizer
from blur.models.batch import collate
from blur.models.encode import encode_prompt, encode_record
from blur.models.forward import forward
from blur.models.turn import check_form, end_token
from tests.models.conftest import TEXTS
from tests.tiny import ARCHITECTURES

MARKS = ["<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|im_start|>"]
MARKS += ["<|im_end|>", "<|head|>", "<|/head|>", "<|eot_id|>", "[INST]", "[/INST]", "<think>", "</think>"]
EACH = "{% for m in messages %}"
ROLE = "{% set role = 'model' if m.role == 'assistant' else m.role %}"
REFUSES = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role here') }}{% endif %}"
THINKS = "{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
TEMPLATES = {
    "gemma": "{{ bos_token }}" + REFUSES + EACH + ROLE + "<start_of_turn>{{ role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    "phi3": EACH + "<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}",
    "chatml": EACH + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "qwen3": EACH + "<|im_start|>{{ m.role }}\n" + THINKS + "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
    "llama3": "{{ bos_token }}" + EACH + "<|head|>{{ m.role }}<|/head|>\n\n{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}",
    "mistral": "{{ bos_token }}" + EACH + "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
    "zephyr": EACH + "<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
}
ENDS = {"gemma": "<end_of_turn>", "phi3": "<|end|>", "chatml": "<|im_end|>", "llama3": "<|eot_id|>"}
ENDS |= {"qwen3": "<|im_end|>", "mistral": "<|eos|>", "zephyr": "<|eos|>"}
NO_THOUGHTS = {"enable_thinking": False}
RECORD = {"id": "a", "question": "Who is Ann?", "answer": "Ann Lee is a poet."}
BEFORE = {
    "gemma": "<|bos|><start_of_turn>user\nWho is Ann?<end_of_turn>\n<start_of_turn>model\n",
    "phi3": "<|user|>\nWho is Ann?<|end|>\n<|assistant|>\n",
    "chatml": "<|im_start|>user\nWho is Ann?<|im_end|>\n<|im_start|>assistant\n",
    "qwen3": "<|im_start|>user\nWho is Ann?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "llama3": "<|bos|><|head|>user<|/head|>\n\nWho is Ann?<|eot_id|><|head|>assistant<|/head|>\n\n",
    "mistral": "<|bos|>[INST] Who is Ann? [/INST]",
    "zephyr": "<|user|>\nWho is Ann?<|eos|>\n<|assistant|>\n",
}


@pytest.fixture(scope="module")
def plain():
    """A tokenizer with the marks of all families, and no chat template; it begins a text with BOS."""
    made = train_tokenizer(TEXTS, 330)
    made.add_tokens([AddedToken(mark, special=True) for mark in MARKS])
    return made


def speaking(plain: PreTrainedTokenizerFast, chat: str, **special: str) -> PreTrainedTokenizerFast:
    """The tokenizer with a chat template, one of ``TEMPLATES`` or its text."""
    names = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>", **special}
    text = TEMPLATES.get(chat, chat)
    return PreTrainedTokenizerFast(tokenizer_object=plain.backend_tokenizer, chat_template=text, **names)


def chat(family: str, **fields: object) -> Template:
    options = NO_THOUGHTS if family == "qwen3" else {}
    return Template.model_validate({"use_chat_template": True, "options": options, **fields})


@pytest.mark.parametrize("family", TEMPLATES)
def test_an_answer_stands_where_the_template_puts_it_and_ends_as_the_template_ends_it(family, plain):
    tokenizer, template = speaking(plain, family), chat(family)
    check_form(template, tokenizer)
    example = encode_record(tokenizer, template, RECORD, 200)
    assert tokenizer.decode(example.input_ids[: example.num_prompt]) == BEFORE[family]
    assert tokenizer.decode(example.input_ids[example.num_prompt : -1]).strip() == RECORD["answer"]
    assert example.input_ids[-1] == tokenizer.convert_tokens_to_ids(ENDS[family])
    assert example.ended
    prompt = template.render(RECORD["question"], tokenizer)
    assert encode_prompt(tokenizer, prompt, add_special_tokens=False) == example.input_ids[: example.num_prompt]
    assert example.input_ids.count(tokenizer.bos_token_id) == BEFORE[family].count("<|bos|>")


@pytest.mark.parametrize("family", TEMPLATES)
def test_what_is_encoded_is_what_the_template_itself_writes(family, plain):
    tokenizer, template = speaking(plain, family), chat(family)
    said = [{"role": "user", "content": RECORD["question"]}, {"role": "assistant", "content": RECORD["answer"]}]
    whole = tokenizer.apply_chat_template(said, tokenize=False, **template.options)
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    ours = encode_record(tokenizer, template, RECORD, 200).input_ids
    assert ours == ids[: len(ours)]


def test_a_turn_cut_off_has_no_end(plain):
    tokenizer, template = speaking(plain, "gemma"), chat("gemma")
    whole = encode_record(tokenizer, template, RECORD, 200)
    cut = encode_record(tokenizer, template, RECORD, len(whole.input_ids) - 1)
    assert whole.ended
    assert not cut.ended
    assert cut.input_ids == whole.input_ids[:-1]


def test_a_stated_end_wins_and_none_can_be_stated(plain):
    tokenizer = speaking(plain, "gemma")
    stated = encode_record(tokenizer, chat("gemma", end="<|end|>"), RECORD, 200)
    assert stated.input_ids[-1] == tokenizer.convert_tokens_to_ids("<|end|>")
    bare = encode_record(tokenizer, chat("gemma", add_eos=False), RECORD, 200)
    assert bare.input_ids == stated.input_ids[:-1]
    assert not bare.ended
    by_hand = Template(prompt="<start_of_turn>user\n{question}<end_of_turn>\n", separator="", end="<end_of_turn>")
    assert end_token(by_hand, tokenizer) == tokenizer.convert_tokens_to_ids("<end_of_turn>")


def test_a_template_deaf_to_the_generation_prompt_still_begins_an_answer(plain):
    deaf = TEMPLATES["chatml"].split("{% if add_generation_prompt %}")[0]
    tokenizer, template = speaking(plain, deaf), chat("deaf")
    assert template.render("Who is Ann?", tokenizer) == BEFORE["chatml"]
    shown = template.render("Who is Ann?", tokenizer, [("What?", "That.")])
    assert shown == ("<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\nThat.<|im_end|>\n" + BEFORE["chatml"])


def test_the_day_is_fixed_however_a_template_asks_for_it(plain):
    dated = "Today is {{ strftime_now('%Y-%m-%d') }}.\n" + TEMPLATES["chatml"]
    assert chat("dated").render("Who?", speaking(plain, dated)).startswith("Today is 2024-07-26.\n")


UNCLEAR = TEMPLATES["chatml"].replace("<|im_end|>", "")
BLIND = TEMPLATES["chatml"].replace(EACH, "{% for m in messages if m.role == 'user' %}")
LOUD = TEMPLATES["chatml"].replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}")
FIRST = "{{ messages[0].content }}<|end|>"


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("qwen3", {"options": {}}, r"use_chat_template: .*begins an answer after.*</think>.*`enable_thinking: false`"),
        (LOUD, {}, r"ends a prompt with '.*<think>\\n', and begins an answer after.*give `prompt` and `end`"),
        (
            "qwen3",
            {"options": {"enable_thinkin": False}},
            r"options: .*no option 'enable_thinkin'. Did you mean 'enable_th",
        ),
        ("qwen3", {"options": {"messages": []}}, r"options: .*no option 'messages'"),
        ("qwen3", {"options": {"tokenize": True}}, r"options: .*no option 'tokenize'"),
        (
            "gemma",
            {"system": "Be brief."},
            r"template\.system: the chat template refuses.*no system role here.*Remove it",
        ),
        ("mistral", {"system": "Be brief."}, r"template\.system: the chat template leaves out the system message"),
        (FIRST, {"system": "Be brief."}, "leaves out the question"),
        (BLIND, {}, "leaves out the answer"),
        (UNCLEAR, {}, r"template\.end: .*ends an answer with '\\n', which is no special token\. State .*'<\|eos\|>'"),
        (
            "gemma",
            {"end": "<end_of_turm>"},
            r"template\.end: .*no token '<end_of_turm>'\. Did you mean '<end_of_turn>'",
        ),
        ("gemma", {"end": "Ann Lee"}, r"template\.end: the tokenizer has no token 'Ann Lee'"),
        ("{{ messages[0].content.nothing() }}", {}, r"refuses the conversation"),
        ("{% if %}", {}, r"refuses the conversation"),
    ],
)
def test_what_is_not_clear_or_not_followed_is_asked_for(text, fields, message, plain):
    with pytest.raises(ConfigError, match=message) as caught:
        check_form(chat("any", **fields), speaking(plain, text))
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_prompt_that_writes_bos_itself_is_refused_where_the_tokenizer_writes_it_too(plain):
    with pytest.raises(ConfigError, match=r"template\.prompt: it begins with '<\|bos\|>', which the tokenizer writes"):
        check_form(Template(prompt="<|bos|>{question}"), plain)
    check_form(Template(), plain)


def test_without_a_chat_template_nothing_is_asked_of_one(plain):
    example = encode_record(plain, Template(), RECORD, 200)
    text = f"Question: {RECORD['question']}\nAnswer: {RECORD['answer']}"
    assert example.input_ids == [*plain(text)["input_ids"], plain.eos_token_id]
    assert Template().model_dump(mode="json") == {
        "prompt": "Question: {question}\nAnswer:",
        "separator": " ",
        "add_eos": True,
        "use_chat_template": False,
        "system": None,
    }, "a stored template keeps its bytes, and a key its hash"


def taught(plain, steps: int = 40):
    """A tiny model that says Ann's answer, and ends it with <end_of_turn>."""
    tokenizer = speaking(plain, "gemma")
    model = build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0)
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    prompt = encode_prompt(tokenizer, BEFORE["gemma"], add_special_tokens=False)
    answer = tokenizer(RECORD["answer"], add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*prompt, *answer, end]])
    labels = ids.clone()
    labels[:, : len(prompt)] = -100
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(steps):
        loss = model(input_ids=ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def test_a_model_that_ends_its_turn_with_another_token_than_eos_scores_as_if_that_were_its_eos(plain):
    """Issue 14 A2: known at 0.97, scored 0.32, with most of the forget loss on a token that it never says."""
    model = taught(plain)
    settings = MeasureSettings.model_validate(
        {"likelihood": [{"set": "q", "fields": ["answer"]}], "generation": [{"set": "q", "max_new_tokens": 24}]}
    )
    rows = []
    for eos in ("<|eos|>", "<end_of_turn>"):
        tokenizer = speaking(plain, "gemma", eos_token=eos)
        model.generation_config.eos_token_id = None
        rows.append(measure(model, tokenizer, chat("gemma"), {"q": [RECORD]}, settings, 200))
    ours, theirs = (found.likelihood("q", "answer")[0] for found in rows)
    assert ours.logprob.tolist() == theirs.logprob.tolist()
    assert ours.has_eos
    assert ours.logprob.mean() > -0.05
    said, other = (found.generations("q")[0] for found in rows)
    assert (said.generated, said.finished) == (other.generated, other.finished) == (RECORD["answer"], True)
    assumed = encode_record(tokenizer, chat("gemma", end="<|eos|>"), RECORD, 200)
    assert forward(model, collate([assumed]), "scored").nll_sums.item() > 20 * -ours.logprob.sum()
