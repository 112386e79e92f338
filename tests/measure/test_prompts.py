from __future__ import annotations

import pytest
from pydantic import ValidationError

from blur.core.errors import ConfigError, DataError
from blur.measure import run
from blur.measure.generate import Generation
from blur.measure.prompts import prompts_of
from blur.measure.run import measure
from blur.measure.settings import GenerationRequest, MeasureSettings
from blur.models import Template
from tests.measure.conftest import PASSAGES, RECORDS, SETS, SHOWN, TEMPLATE

MUSE_FORM = "".join(f"Question: {r['question']}\nAnswer: {r['answer']}\n\n" for r in SHOWN)
CHAT = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def asked(tokenizer, template=TEMPLATE, sets=SETS, **request):
    return prompts_of(tokenizer, template, sets, GenerationRequest.model_validate(request))


def test_few_shot_prompt_has_the_form_of_muse(tokenizer):
    prompts = asked(tokenizer, set="people", examples="shown", limit=2)
    assert [prompt.text for prompt in prompts] == [
        MUSE_FORM + f"Question: {record['question']}\nAnswer:" for record in RECORDS[:2]
    ]
    assert prompts[1].input_ids == tokenizer(prompts[1].text)["input_ids"]
    assert [prompt.reference for prompt in prompts] == [record["answer"] for record in RECORDS[:2]]


def test_the_space_at_the_end_of_muses_prompt_is_kept_on_demand(tokenizer):
    cut, kept = (asked(tokenizer, set="people", examples="shown", trailing_space=keep)[0] for keep in (False, True))
    assert kept.input_ids == tokenizer(MUSE_FORM + f"Question: {RECORDS[0]['question']}\nAnswer: ")["input_ids"]
    assert kept.input_ids == [*cut.input_ids, tokenizer(" ", add_special_tokens=False)["input_ids"][0]]


def test_a_chat_model_sees_the_examples_as_turns(tokenizer):
    tokenizer = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|eos|>", chat_template=CHAT)
    template = Template(use_chat_template=True, system="Be brief.")
    prompt = asked(tokenizer, template, {"people": RECORDS, "shown": SHOWN[:1]}, set="people", examples="shown")[0]
    shown = "<user>Who is Ann?<assistant>Ann is a cook."
    assert prompt.text == f"<system>Be brief.{shown}<user>{RECORDS[0]['question']}<assistant>"
    assert prompt.input_ids == tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
    with pytest.raises(ConfigError, match=r"people.*chat template"):
        asked(tokenizer, template, set="people", trailing_space=True)


def test_a_completion_is_raw_text_and_its_reference_as_many_tokens_as_are_made(tokenizer):
    prompts = asked(tokenizer, Template(prompt="Q {question}"), set="passages", max_new_tokens=6)
    for prompt, record in zip(prompts, PASSAGES, strict=True):
        assert prompt.text == record["prompt"]
        assert prompt.input_ids == tokenizer(record["prompt"])["input_ids"]
        tokens = tokenizer(record["gt"], add_special_tokens=False)["input_ids"]
        assert prompt.reference == tokenizer.decode(tokens[:6])
    whole = asked(tokenizer, set="passages", max_new_tokens=500)
    assert [prompt.reference for prompt in whole] == [record["gt"] for record in PASSAGES]


def says(monkeypatch, tokenizer, text):
    """Let every model say ``text``, as far as it may."""
    tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(
        run, "generate", lambda _, prompts, size, *rest: [Generation(tokens[:size], False)] * len(prompts)
    )


def test_fault_of_muse_a_perfect_continuation_equals_its_reference(monkeypatch, llama, tokenizer):
    """MUSE counts the beginning-of-sequence token, so that its reference misses the last token."""
    sets = {"passages": PASSAGES[5:]}
    says(monkeypatch, tokenizer, PASSAGES[5]["gt"])
    settings = MeasureSettings.model_validate({"generation": [{"set": "passages", "max_new_tokens": 8}]})
    row = run.measure(llama, tokenizer, TEMPLATE, sets, settings, 100).generations("passages")[0]
    assert row.num_tokens == 8
    assert row.generated == row.reference
    muse = tokenizer.decode(tokenizer(PASSAGES[5]["gt"])["input_ids"][:8], skip_special_tokens=True)
    assert row.generated.startswith(muse)
    assert row.generated != muse


def test_the_likelihood_of_a_completion_is_that_of_the_raw_text(llama, tokenizer):
    request = {"likelihood": [{"set": "passages", "fields": ["gt"]}]}
    found = measure(
        llama, tokenizer, Template(prompt="Q {question}"), SETS, MeasureSettings.model_validate(request), 200
    )
    for score, record in zip(found.likelihood("passages", "gt"), PASSAGES, strict=True):
        assert not score.has_eos
        assert score.text == record["gt"]
        whole, prompt = (tokenizer(text)["input_ids"] for text in (record["prompt"] + record["gt"], record["prompt"]))
        assert score.logprob.size == len(whole) - len(prompt)


def test_what_does_not_apply_is_refused(tokenizer):
    with pytest.raises(ConfigError, match=r"passages.*for questions"):
        asked(tokenizer, set="passages", examples="shown")
    with pytest.raises(ConfigError, match=r"passages.*for questions"):
        asked(tokenizer, set="passages", trailing_space=True)
    with pytest.raises(ConfigError, match="no set 'icl'"):
        asked(tokenizer, set="people", examples="icl")
    with pytest.raises(DataError, match="set 'texts': record 't0' has no 'question'"):
        asked(tokenizer, set="people", examples="texts")


@pytest.mark.parametrize("records", [[], RECORDS[:1]])
def test_no_record_and_one(llama, tokenizer, records):
    request = {"generation": [{"set": "people", "examples": "shown", "max_new_tokens": 3, "limit": 7}]}
    sets = {"people": records, "shown": SHOWN}
    found = measure(llama, tokenizer, TEMPLATE, sets, MeasureSettings.model_validate(request), 100)
    assert len(found.rows["generations"]) == len(records)


def test_no_examples_in_their_set_is_zero_shot(tokenizer):
    sets = {"people": RECORDS, "shown": []}
    assert asked(tokenizer, sets=sets, set="people", examples="shown") == asked(tokenizer, set="people")


def test_a_prompt_that_leaves_no_room_is_named(llama, tokenizer):
    settings = MeasureSettings.model_validate({"generation": [{"set": "people", "max_new_tokens": 9}]})
    longest = max(asked(tokenizer, set="people"), key=lambda prompt: len(prompt.input_ids))
    llama.config.max_position_embeddings = len(longest.input_ids) + 8
    with pytest.raises(DataError, match=f"set 'people', record {longest.id!r}: a prompt of .*fewer examples"):
        measure(llama, tokenizer, TEMPLATE, SETS, settings, 100)
    llama.config.max_position_embeddings += 1
    assert len(measure(llama, tokenizer, TEMPLATE, SETS, settings, 100).generations("people")) == 6


def test_a_generation_is_kept_as_decoded(monkeypatch, llama, tokenizer):
    """A blank line at its beginning is where MUSE cuts an answer: there is none."""
    says(monkeypatch, tokenizer, "\n\nRome ")
    settings = MeasureSettings.model_validate({"generation": [{"set": "people"}]})
    rows = run.measure(llama, tokenizer, TEMPLATE, SETS, settings, 100).generations("people")
    assert {row.generated for row in rows} == {"\n\nRome "}


def test_names_of_all_sets_are_known_beforehand():
    settings = MeasureSettings.model_validate(
        {
            "generation": [{"set": "a", "examples": "b"}],
            "harness": [
                {"name": "x", "task": "t.yaml", "set": "c", "examples": "d", "num_fewshot": 1},
                {"name": "y", "task": "mmlu"},
                {"name": "z", "task": "t.yaml", "set": "e"},
            ],
        }
    )
    assert settings.sets == ("a", "b", "c", "d", "e")
    assert settings.empty(["c", "b"]) == ["x"]


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        ({"name": "x", "task": "t.yaml"}, "`set` goes with"),
        ({"name": "x", "task": "mmlu", "set": "a"}, "`set` goes with"),
        ({"name": "x", "task": "mmlu", "examples": "a"}, "`examples` goes with"),
        ({"name": "x", "task": "t.yaml", "set": "a", "num_fewshot": 2}, "needs `examples`"),
        ({"name": "x", "task": "mmlu", "limit": 0}, "greater than or equal to 1"),
        ({"name": "x", "task": "mmlu", "batchsize": 2}, "Extra inputs"),
    ],
)
def test_unfit_harness_requests_are_refused(request_, fault):
    with pytest.raises(ValidationError, match=fault):
        MeasureSettings.model_validate({"harness": [request_]})
