"""lm-eval in process: against a hand count, and each setting reaches the call."""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import datasets
import lm_eval.evaluator
import pytest
import torch

from blur.core.errors import ConfigError, DataError
from blur.measure import harness
from blur.measure.run import measure
from blur.measure.settings import HarnessRequest, MeasureSettings
from blur.measurements import Measurements
from blur.metrics import compute_all
from blur.models import Template
from tests.measure.conftest import CHOICES, DEV, SETS, TOPICS

LETTERS = """
output_type: multiple_choice
description: "The following are multiple choice questions (with answers) about {{topic}}.\\n\\n"
doc_to_text: |-
  {{question.strip()}}
  A. {{choices[0]}}
  B. {{choices[1]}}
  C. {{choices[2]}}
  D. {{choices[3]}}
  Answer:
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: answer
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
TEXTS = """
output_type: multiple_choice
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: acc_bytes, aggregation: mean, higher_is_better: true}
"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "letters.yaml").write_text(LETTERS)
    (tmp_path / "texts.yaml").write_text(TEXTS)


@pytest.fixture
def evaluated(monkeypatch):
    """What lm-eval itself was called with, and what it returned."""
    calls = []
    original = lm_eval.evaluator.evaluate

    def evaluate(*args, **kwargs):
        calls.append((args, kwargs, original(*args, **kwargs)))
        return calls[-1][-1]

    monkeypatch.setattr(lm_eval.evaluator, "evaluate", evaluate)
    return calls


def ask(model, tokenizer, sets=SETS, **request):
    asked = HarnessRequest.model_validate({"name": "quiz", "task": "letters.yaml", **request})
    fetched = {} if asked.is_local else {asked.stored: harness.fetch(asked.task)}
    return harness.ask(model, tokenizer, {**sets, **fetched}, asked)


def letters(record):
    listed = "".join(f"\n{letter}. {text}" for letter, text in zip("ABCD", record["choices"], strict=True))
    return f"{record['question']}{listed}\nAnswer:"


def log_likelihood(model, tokenizer, context, continuation):
    """Sum of log p of the continuation's tokens, one text alone, without padding."""
    before, whole = (tokenizer(text)["input_ids"] for text in (context, context + continuation))
    with torch.no_grad():
        logp = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
    return sum(float(logp[place - 1, whole[place]]) for place in range(len(before), len(whole)))


def hand_count(scores, answers):
    return sum(max(range(4), key=row.__getitem__) == answer for row, answer in zip(scores, answers, strict=True))


@pytest.mark.parametrize("shots", [0, 2])
def test_score_by_letter_equals_a_hand_count_on_twenty_questions(llama, tokenizer, evaluated, shots):
    asked, scores = CHOICES[:20], []
    for record in asked:
        shown = [example for example in DEV if example["topic"] == record["topic"]][:shots]
        context = f"The following are multiple choice questions (with answers) about {record['topic']}.\n\n"
        context += "".join(f"{letters(example)} {'ABCD'[example['answer']]}\n\n" for example in shown)
        context += letters(record)
        scores.append([log_likelihood(llama, tokenizer, context, f" {letter}") for letter in "ABCD"])
    right = hand_count(scores, [record["answer"] for record in asked])
    rows = ask(llama, tokenizer, set="quiz", limit=20, num_fewshot=shots, examples="dev")
    assert [row.id for row in rows] == [record["id"] for record in asked]
    for row, expected in zip(rows, scores, strict=True):
        assert row.logprob == pytest.approx(expected, abs=1e-4)
    measured = measured_with(rows)
    assert compute_all([ACC], measured, {})["acc"].value == right / 20
    results = evaluated[0][2]["results"]
    assert sum(results[f"quiz/{topic}"]["acc,none"] for topic in TOPICS) / 2 == right / 20


ACC = {"name": "acc", "metric": "accuracy", "request": "quiz"}


def measured_with(rows):
    return Measurements(choices=rows)


def test_score_by_text_equals_a_hand_count_and_each_of_lm_evals_norms(llama, tokenizer, evaluated):
    sets = {"quiz": [{key: value for key, value in record.items() if key != "topic"} for record in CHOICES[:20]]}
    rows = ask(llama, tokenizer, sets, task="texts.yaml", set="quiz")
    scores = [
        [log_likelihood(llama, tokenizer, f"Question: {r['question']}\nAnswer:", f" {text}") for text in r["choices"]]
        for r in sets["quiz"]
    ]
    answers = [record["answer"] for record in sets["quiz"]]
    for row, expected, record in zip(rows, scores, sets["quiz"], strict=True):
        assert row.logprob == pytest.approx(expected, abs=1e-4)
        assert (list(row.options), row.answer) == (record["choices"], record["answer"])
    per_letter = [
        [score / len(text) for score, text in zip(row, record["choices"], strict=True)]
        for row, record in zip(scores, sets["quiz"], strict=True)
    ]
    results = evaluated[0][2]["results"]["quiz"]
    for norm, name, found in (("none", "acc", scores), ("characters", "acc_norm", per_letter)):
        metric = compute_all([{**ACC, "norm": norm}], measured_with(rows), {})["acc"]
        assert metric.value == results[f"{name},none"] == hand_count(found, answers) / 20
    metric = compute_all([{**ACC, "norm": "bytes"}], measured_with(rows), {})["acc"]
    assert metric.value == results["acc_bytes,none"]


def test_batch_size_reaches_the_model_and_changes_no_score(llama, tokenizer):
    """The fault of open-unlearning: its lm-eval settings never reach the call (anchors.md 1.6 #9)."""
    sizes = []
    hook = llama.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[0]))
    found = {size: ask(llama, tokenizer, set="quiz", task="texts.yaml", batch_size=size) for size in (1, 7, 16)}
    hook.remove()
    assert set(sizes) >= {1, 7, 16}
    for rows in found.values():
        for row, other in zip(rows, found[1], strict=True):
            assert row.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert row.id == other.id


def test_limit_takes_the_first_and_may_exceed_the_set(llama, tokenizer):
    assert [row.id for row in ask(llama, tokenizer, set="quiz", limit=3)] == ["m0", "m1", "m2"]
    assert len(ask(llama, tokenizer, set="quiz", limit=1000)) == len(CHOICES)


def test_few_shot_examples_come_from_the_same_topic_and_change_the_prompt(llama, tokenizer):
    rows = ask(llama, tokenizer, set="quiz", num_fewshot=2, examples="dev")
    for row in rows:
        shown = [example for example in DEV if example["topic"] == row.subject][:2]
        beginning = "".join(f"{letters(example)} {'ABCD'[example['answer']]}\n\n" for example in shown)
        assert beginning in row.prompt
        assert row.prompt.count("Answer:") == 3
    assert ask(llama, tokenizer, set="quiz", examples="dev") == ask(llama, tokenizer, set="quiz", num_fewshot=0)


def test_the_tasks_own_few_shot_number_holds_unless_the_request_says_otherwise(llama, tokenizer, tmp_path):
    (tmp_path / "letters.yaml").write_text(LETTERS + "num_fewshot: 1\n")
    assert ask(llama, tokenizer, set="quiz", examples="dev")[0].prompt.count("Answer:") == 2
    assert ask(llama, tokenizer, set="quiz", examples="dev", num_fewshot=0)[0].prompt.count("Answer:") == 1


def test_a_topic_without_enough_examples_is_named(llama, tokenizer):
    sets = {**SETS, "dev": [record for record in DEV if record["topic"] == "bees"]}
    with pytest.raises(DataError, match=r"quiz, set 'dev': 0 examples of topic 'knots', fewer than .*2"):
        ask(llama, tokenizer, sets, set="quiz", num_fewshot=2, examples="dev")


@pytest.mark.parametrize("records", [[], CHOICES[:1]])
def test_no_question_and_one(llama, tokenizer, records):
    assert len(ask(llama, tokenizer, {"quiz": records}, set="quiz")) == len(records)


def test_of_options_that_are_all_alike_the_first_counts(llama, tokenizer, tmp_path, evaluated):
    (tmp_path / "letters.yaml").write_text(LETTERS.replace('["A", "B", "C", "D"]', '["X", "X", "X", "X"]'))
    sets = {"quiz": [{**record, "topic": ""} for record in CHOICES[:8]]}
    rows = ask(llama, tokenizer, sets, set="quiz")
    assert all(len(set(row.logprob)) == 1 for row in rows)
    assert compute_all([ACC], measured_with(rows), {})["acc"].value == 2 / 8
    assert evaluated[0][2]["results"]["quiz"]["acc,none"] == 2 / 8


def test_a_question_too_long_for_the_model_is_refused_not_cut(llama, tokenizer):
    llama.config.max_position_embeddings = 20
    with pytest.raises(DataError, match=r"quiz, set 'quiz': a question of \d+ tokens exceeds the model's 20 positions"):
        ask(llama, tokenizer, set="quiz")


def test_model_tokenizer_log_and_network_are_left_alone(llama, tokenizer, capfd, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("asked for data"))
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.pad_token = None
    llama.train()
    level = logging.getLogger("lm_eval").level
    weights = {name: tensor.clone() for name, tensor in llama.state_dict().items()}
    first = ask(llama, tokenizer, set="quiz", num_fewshot=1, examples="dev")
    assert first == ask(llama, tokenizer, set="quiz", num_fewshot=1, examples="dev")
    assert llama.training
    assert all(module.training for module in llama.modules())
    assert all(parameter.requires_grad for parameter in llama.parameters())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in llama.state_dict().items())
    assert tokenizer.pad_token is None
    assert logging.getLogger("lm_eval").level == level
    assert capfd.readouterr() == ("", "")


def test_measure_puts_the_questions_and_reports(llama, tokenizer):
    asked = [{"name": name, "task": f"{name}.yaml", "set": "quiz", "limit": 4} for name in ("letters", "texts")]
    calls = []
    settings = MeasureSettings.model_validate({"harness": asked})
    measured = measure(llama, tokenizer, Template(), SETS, settings, 100, lambda *call: calls.append(call))
    assert [len(measured.choices(name)) for name in ("letters", "texts")] == [4, 4]
    assert list(measured.choices("letters")[0].options) == ["A", "B", "C", "D"]
    assert calls == [(1, 2, "lm-eval, letters"), (2, 2, "lm-eval, texts")]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read"),
        ("a: [", "not valid YAML"),
        (LETTERS + "process_docs: !function utils.f\n", "not valid YAML"),
        ("doc_to_text: a\n", "no multiple-choice task"),
        (LETTERS + "dataset_path: cais/mmlu\n", "`dataset_path` names data"),
    ],
)
def test_an_unfit_task_file_is_named_before_any_job(tmp_path, content, fault):
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    settings = MeasureSettings.model_validate({"harness": [{"name": "x", "task": "mine.yaml", "set": "quiz"}]})
    with pytest.raises(ConfigError, match=rf"^mine\.yaml(, line \d+)?: {fault}"):
        settings.task_files()


def test_the_key_changes_with_a_task_files_content_and_not_with_a_comment(tmp_path):
    settings = MeasureSettings.model_validate({"harness": [{"name": "x", "task": "texts.yaml", "set": "quiz"}]})
    first = settings.task_files()
    assert list(first) == ["texts.yaml"]
    (tmp_path / "texts.yaml").write_text("# a comment\n" + TEXTS)
    assert settings.task_files() == first
    (tmp_path / "texts.yaml").write_text(TEXTS.replace("Question:", "Q:"))
    assert settings.task_files() != first


@pytest.fixture
def library(monkeypatch):
    """The hub, with six questions in every split of every dataset."""
    rows = [{"question": r["question"], "choices": r["choices"], "answer": r["answer"]} for r in CHOICES[:6]]
    split = datasets.Dataset.from_list(rows)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: {"test": split, "dev": split})


def test_a_task_of_the_library_is_asked_by_name(llama, tokenizer, library):
    rows = ask(llama, tokenizer, task="mmlu_anatomy", limit=4, num_fewshot=2)
    assert [row.id for row in rows] == [f"mmlu_anatomy/{place}" for place in range(4)]
    assert {row.subject for row in rows} == {"mmlu_anatomy"}
    assert [row.answer for row in rows] == [record["answer"] for record in CHOICES[:4]]
    assert all(row.prompt.count("Answer:") == 3 for row in rows)
    assert ask(llama, tokenizer, task="mmlu_anatomy")[0].prompt.count("Answer:") == 1


def test_a_group_is_all_of_its_tasks_each_with_the_limit(llama, tokenizer, library):
    rows = ask(llama, tokenizer, task="wmdp", limit=2)
    assert [(row.subject, row.id) for row in rows] == [
        (name, f"{name}/{place}") for name in ("wmdp_bio", "wmdp_chem", "wmdp_cyber") for place in range(2)
    ]


def test_what_a_task_of_the_library_does_not_follow_is_refused(llama, tokenizer, library):
    with pytest.raises(ConfigError, match="'wmdp_bio' is zero-shot by definition"):
        ask(llama, tokenizer, task="wmdp_bio", num_fewshot=5)
    with pytest.raises(ConfigError, match="lm-eval's task 'wmdp_bios': lm-eval has no such task"):
        ask(llama, tokenizer, task="wmdp_bios")


def test_data_that_cannot_be_had_name_the_way_out(llama, tokenizer, monkeypatch):
    def load_dataset(*_, **__):
        raise ConnectionError("Couldn't reach 'cais/wmdp'\nmore")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    fault = r"lm-eval's task 'wmdp_bio': its data cannot be had \(Couldn't reach 'cais/wmdp'\)\. .*HF_HUB_OFFLINE=1"
    with pytest.raises(DataError, match=fault):
        ask(llama, tokenizer, task="wmdp_bio")


@pytest.mark.parametrize("name", ["choice_letter", "choice_text"])
def test_the_tasks_that_are_shipped_can_be_asked(llama, tokenizer, name):
    shipped = Path(__file__).parents[2] / "config" / "lm_eval" / f"{name}.yaml"
    rows = ask(llama, tokenizer, task=str(shipped), set="quiz", limit=3)
    expected = [list("ABCD")] * 3 if name == "choice_letter" else [record["choices"] for record in CHOICES[:3]]
    assert [list(row.options) for row in rows] == expected
    assert [row.answer for row in rows] == [record["answer"] for record in CHOICES[:3]]
