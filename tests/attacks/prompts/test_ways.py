"""Ways to ask: what the model gets to read, and what its answer is compared with."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from tokenizers import processors

from blur.attacks.kinds.prompts import Attack
from blur.attacks.point import WORST
from blur.measure.prompts import prompts_of
from blur.measure.settings import GenerationRequest
from blur.models import Template
from tests.attacks.conftest import FORGET


def asked(way, victim):
    """Answers to the questions, asked in one way; only what is generated is measured, as prompts attacks do."""
    victim = replace(victim, settings=victim.settings.model_copy(update={"likelihood": ()}))
    attack = Attack.model_validate({"questions": "forget", "arms": {"one": way}})
    return attack.strike("one", victim)


def generations(point):
    return point.measured.generations("forget")


def test_a_template_stands_around_each_question(victim):
    point = asked({"name": "template", "text": "Say it at last: {question} Now!"}, victim)[""]
    first = generations(point)[0]
    assert first.prompt == "Question: Say it at last: Who is Ann, number 0? Now!\nAnswer:"
    assert first.reference == "Ann is a poet of rivers."
    assert len(generations(point)) == len(FORGET)


def test_a_template_file_is_read_so_that_its_content_is_part_of_the_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "way.txt").write_text("Bitte: {question}\n")
    attack = Attack.model_validate({"questions": "q", "arms": {"one": {"name": "template", "text": "way.txt"}}})
    assert attack.model_dump(mode="json")["arms"]["one"]["text"] == "Bitte: {question}"


@pytest.mark.parametrize("text", ["no place for it", "nowhere.txt"])
def test_a_template_that_cannot_be_used_is_refused(text):
    with pytest.raises(ValidationError, match=r"lacks|no file"):
        Attack.model_validate({"questions": "q", "arms": {"one": {"name": "template", "text": text}}})


def test_a_prefix_gives_half_the_words_and_compares_the_rest(victim):
    first = generations(asked({"name": "prefix", "share": 0.5}, victim)[""])[0]
    assert first.prompt == "Question: Who is Ann, number 0?\nAnswer: Ann is a"
    assert first.reference.strip() == "poet of rivers."[: len(first.reference.strip())]
    assert first.reference.strip()


@pytest.mark.parametrize(("answer", "given"), [("one two", "one"), ("one two three", "one"), ("a b c d", "a b")])
def test_a_prefix_is_rounded_down_but_never_nothing(victim, answer, given):
    from blur.attacks.prompts.prefix import Way

    record = Way(share=0.5).rewrite({"id": "x", "question": "Q?", "answer": answer}, victim.load())
    assert record["prompt"].endswith(f"Answer: {given}")
    assert f"{given}{record['gt']}" == answer


@pytest.mark.parametrize("adds_bos", [True, False])
def test_a_prefix_begins_as_the_question_does_whether_or_not_the_tokenizer_adds_bos(encoding, adds_bos):
    from blur.attacks.prompts.prefix import Way

    tokenizer, template = copy.deepcopy(encoding[0]), Template(use_chat_template=True)
    turns = "{% for m in messages %}{{ m.role }}:\n{{ m.content }}\n{% endfor %}"
    tokenizer.chat_template = f"{{{{ bos_token }}}}{turns}{{% if add_generation_prompt %}}assistant:\n{{% endif %}}"
    if not adds_bos:
        tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    assert (tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id) is adds_bos
    record = {"id": "x", "question": "Who?", "answer": "one two three four"}
    begun = Way().rewrite(record, SimpleNamespace(tokenizer=tokenizer, template=template))
    found, plain = (
        prompts_of(tokenizer, template, {"q": [one]}, GenerationRequest(set="q"))[0] for one in (begun, record)
    )
    assert plain.input_ids[0] == tokenizer.bos_token_id
    assert found.input_ids[: len(plain.input_ids)] == plain.input_ids
    assert tokenizer.decode(found.input_ids[len(plain.input_ids) :]) == "one two"


def test_answers_of_one_word_cannot_be_begun(victim):
    from blur.attacks.prompts.prefix import Way

    assert Way().rewrite({"id": "x", "question": "Q?", "answer": "yes"}, victim.load()) is None


def test_examples_are_shown_and_not_asked(victim):
    point = asked({"name": "fewshot", "shots": 2}, victim)[""]
    rows = generations(point)
    assert [row.id for row in rows] == [record["id"] for record in FORGET[2:]]
    assert all(row.prompt.count("Question:") == 3 for row in rows)
    assert rows[0].prompt.startswith("Question: Who is Ann, number 0?\nAnswer: Ann is a poet of rivers.\n\n")
    assert point.used == {"Ann"}


def test_more_examples_than_records_leave_nothing_to_ask(victim):
    point = asked({"name": "fewshot", "shots": 12}, victim)[""]
    assert point.measured is None
    assert "no record beyond" in point.about["reason"]


def test_paraphrases_where_there_are_none(victim):
    point = asked({"name": "paraphrase"}, victim)[""]
    assert point.measured is None
    assert "no record" in point.about["reason"]


def test_paraphrases_take_the_questions_place(victim):
    others = [{**record, "paraphrased_question": f"Tell of {record['group']}."} for record in FORGET]
    point = asked({"name": "paraphrase"}, replace(victim, sets={**victim.sets, "forget": others}))[""]
    assert generations(point)[0].prompt == "Question: Tell of Ann.\nAnswer:"


def test_samples_differ_from_each_other_and_are_the_same_again(victim):
    way = {"name": "samples", "k": 3, "temperature": 1.5}
    points, again = asked(way, victim), asked(way, victim)
    said = [[row.generated for row in generations(point)] for point in points.values()]
    assert len(points) == 3
    assert said[0] != said[1] != said[2]
    assert said == [[row.generated for row in generations(point)] for point in again.values()]
    assert all(WORST in point.about for point in points.values())


def test_cold_samples_are_the_greedy_answer(victim):
    points = asked({"name": "samples", "k": 2, "temperature": 1e-4}, victim)
    greedy = [row.generated for row in victim.measure(victim.load().model).generations("forget")]
    assert all([row.generated for row in generations(point)] == greedy for point in points.values())
