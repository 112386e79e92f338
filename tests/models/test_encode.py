from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from blur.core.errors import BlurError, DataError
from blur.models.encode import encode, encode_bare, encode_prompt, encode_record, encode_text
from blur.models.template import Template

PROMPTS = ["Question: Who is Ann Lee?\nAnswer:", "Question: Who is Ann Lee?\nAnswer: ", "Who is Ann Lee? "]
ANSWER = "Ann Lee is a poet."


def pair(prompt):
    """The same text, whichever side of the split the space is on."""
    return (prompt, ANSWER) if prompt.endswith(" ") else (prompt, " " + ANSWER)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_whole_answer_is_scored_and_nothing_of_the_prompt(any_tokenizer, prompt):
    prompt, continuation = pair(prompt)
    example = encode(any_tokenizer, prompt, continuation, 100)
    scored = example.input_ids[example.num_prompt :]
    assert scored[-1] == any_tokenizer.eos_token_id
    assert scored.count(any_tokenizer.eos_token_id) == 1
    assert any_tokenizer.decode(scored[:-1]).strip() == ANSWER
    assert example.labels == [-100] * example.num_prompt + scored


@pytest.mark.parametrize("prompt", PROMPTS)
def test_generation_starts_from_the_prefix_that_likelihood_conditions_on(any_tokenizer, prompt):
    prompt, continuation = pair(prompt)
    example = encode(any_tokenizer, prompt, continuation, 100)
    assert encode_prompt(any_tokenizer, prompt) == example.input_ids[: example.num_prompt]


@pytest.mark.parametrize("answer", ["😀 is a face", " Ann", "ξ"])
def test_space_that_merges_with_nothing_is_scored_too(tokenizer, answer):
    """Else likelihood would condition on a bare space, which generation does not."""
    example = encode(tokenizer, PROMPTS[1], answer, 100, add_eos=False)
    assert tokenizer.decode(example.input_ids[example.num_prompt :]) == " " + answer
    assert encode_prompt(tokenizer, PROMPTS[1]) == example.input_ids[: example.num_prompt]


def test_whole_text_is_tokenised_once_as_in_training(any_tokenizer):
    prompt, continuation = pair(PROMPTS[0])
    whole = any_tokenizer(prompt + continuation).input_ids
    example = encode(any_tokenizer, prompt, continuation, 100)
    assert example.input_ids == (
        whole if whole[-1] == any_tokenizer.eos_token_id else [*whole, any_tokenizer.eos_token_id]
    )


def test_fault_reference_code_loses_first_answer_token_of_template_that_ends_in_a_space(tokenizer):
    """anchors.md 1.6, issue 2: the reference code splits at the number of tokens of the prompt alone."""
    prompt = "Question: Who is Ann Lee?\nAnswer: "
    whole = tokenizer(prompt + ANSWER).input_ids
    faulty = whole[len(tokenizer(prompt).input_ids) :]
    example = encode(tokenizer, prompt, ANSWER, 100, add_eos=False)
    ours = example.input_ids[example.num_prompt :]
    assert tokenizer.decode(faulty).strip() == "Lee is a poet."
    assert tokenizer.decode(ours).strip() == ANSWER
    assert ours[1:] == faulty


def test_token_that_straddles_the_boundary_is_scored(any_tokenizer):
    example = encode(any_tokenizer, "Who is Ann Lee? An", "n Lee is a poet.", 100, add_eos=False)
    assert any_tokenizer.decode(example.input_ids[example.num_prompt :]).strip() in {ANSWER, "n Lee is a poet."}


def test_characters_of_several_tokens_stay_on_their_side(tokenizer):
    example = encode(tokenizer, "Où? é€", "😀 là", 100, add_eos=False)
    assert tokenizer.decode(example.input_ids[example.num_prompt :]) == "😀 là"
    assert tokenizer.decode(example.input_ids[1 : example.num_prompt]) == "Où? é€"


def test_bos_exactly_where_the_tokenizer_begins_a_text_with_it(any_tokenizer):
    example = encode(any_tokenizer, *pair(PROMPTS[0]), 100)
    bos = any_tokenizer.bos_token_id
    assert example.input_ids.count(bos) == (0 if bos is None else 1)
    if bos is not None:
        bare = encode(any_tokenizer, *pair(PROMPTS[0]), 100, add_special_tokens=False)
        assert bare.input_ids == example.input_ids[1:]


def test_add_eos_appends_one_token(tokenizer):
    with_eos = encode(tokenizer, *pair(PROMPTS[0]), 100)
    without = encode(tokenizer, *pair(PROMPTS[0]), 100, add_eos=False)
    assert with_eos.input_ids == [*without.input_ids, tokenizer.eos_token_id]


def test_truncation_takes_the_answers_end_and_never_the_prompt(tokenizer):
    full = encode(tokenizer, *pair(PROMPTS[0]), 100)
    cut = encode(tokenizer, *pair(PROMPTS[0]), full.num_prompt + 2)
    assert cut.num_prompt == full.num_prompt
    assert cut.input_ids == full.input_ids[: full.num_prompt + 2]
    with pytest.raises(DataError, match=r"record 'q7'.*prompt alone has \d+ tokens"):
        encode(tokenizer, *pair(PROMPTS[0]), full.num_prompt, id="q7")


def test_empty_answer_is_an_error_unless_eos_can_be_scored(tokenizer):
    with pytest.raises(DataError, match="no tokens"):
        encode(tokenizer, "Who?", "", 100, add_eos=False)
    assert encode(tokenizer, "Who?", "", 100).labels[-1] == tokenizer.eos_token_id


def test_text_scores_every_token_with_a_left_context(any_tokenizer):
    example = encode_text(any_tokenizer, ANSWER, 100)
    has_bos = any_tokenizer.bos_token_id is not None
    assert example.num_prompt == int(has_bos)
    assert any_tokenizer.decode(example.input_ids, skip_special_tokens=True).strip() == ANSWER
    assert example.input_ids[-1] != any_tokenizer.eos_token_id
    with pytest.raises(DataError, match="no token"):
        encode_text(any_tokenizer, "", 100, id="t1")


def test_record_fields(tokenizer):
    record = {"id": 3, "question": "Who is Ann Lee?", "answer": ANSWER, "perturbed_answer": ["Bob is.", "Cy was."]}
    template = Template()
    for kwargs, text in [({}, ANSWER), ({"field": "perturbed_answer", "index": 1}, "Cy was.")]:
        example = encode_record(tokenizer, template, record, 100, **kwargs)
        assert example.id == "3"
        assert tokenizer.decode(example.input_ids[example.num_prompt : -1]) == " " + text
    assert encode_record(tokenizer, template, {"id": "t", "text": ANSWER}, 100) == encode_text(
        tokenizer, ANSWER, 100, id="t"
    )


def test_chat_template_has_one_bos_and_a_fixed_date(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    chat = AutoTokenizer.from_pretrained(tmp_path)
    chat.chat_template = (
        "{{ bos_token }}{{ date_string if date_string is defined else strftime_now('%d %b %Y') }}\n"
        "{% for m in messages %}{% if m['role'] == 'assistant' %}answer:\n{{ m['content'] + eos_token }}"
        "{% else %}{{ m['role'] }}: {{ m['content'] }}\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}answer:\n{% endif %}"
    )
    template = Template(use_chat_template=True, system="Be brief.")
    record = {"id": "a", "question": "Who is Ann?", "answer": ANSWER}
    prompt = template.render("Who is Ann?", chat)
    assert prompt == "<|bos|>26 Jul 2024\nsystem: Be brief.\nuser: Who is Ann?\nanswer:\n"
    example = encode_record(chat, template, record, 100)
    assert example.input_ids.count(chat.bos_token_id) == 1
    assert chat.decode(example.input_ids[example.num_prompt : -1]) == ANSWER
    assert encode_prompt(chat, prompt, add_special_tokens=False) == example.input_ids[: example.num_prompt]


def test_chat_template_that_is_absent_is_an_error(tokenizer):
    with pytest.raises(BlurError, match="no chat template"):
        Template(use_chat_template=True).render("Who?", tokenizer)


def test_a_completion_is_scored_after_its_prompt_as_raw_text(tokenizer):
    record = {"id": "c", "prompt": "Jon Lee is", "gt": " a poet.", "question": "x", "answer": "y"}
    example = encode_record(tokenizer, Template(prompt="Q {question}"), record, 50)
    whole = tokenizer("Jon Lee is a poet.")["input_ids"]
    assert example.input_ids == whole
    assert example.num_prompt == len(tokenizer("Jon Lee is")["input_ids"])
    assert example == encode_record(tokenizer, Template(), record, 50, field="gt")


def test_spaces_at_a_prompts_end_are_kept_on_demand_only(tokenizer):
    cut, kept = (encode_prompt(tokenizer, "Answer: ", keep_spaces=keep) for keep in (False, True))
    assert cut == encode_prompt(tokenizer, "Answer:")
    assert kept == tokenizer("Answer: ")["input_ids"] != cut


def test_a_text_by_itself_has_no_special_tokens(any_tokenizer):
    assert encode_bare(any_tokenizer, "Jon Lee") == any_tokenizer("Jon Lee", add_special_tokens=False)["input_ids"]
