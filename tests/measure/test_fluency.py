"""What the model before unlearning makes of another model's answers, against one text at a time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from blur.measure.fluency import judged
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.metrics import compute_all
from blur.models import build_from_config
from tests.measure.conftest import RECORDS, SETS, TEMPLATE, sharpen
from tests.tiny import ARCHITECTURES

SETTINGS = MeasureSettings.model_validate(
    {
        "generation": [{"set": "people", "max_new_tokens": 6}],
        "fluency": [{"set": "people", "references": "shown"}],
    }
)


def level(model, tokenizer, question, answer):
    """Mean log-probability of an answer after its question, without the token that ends it."""
    prompt = tokenizer(TEMPLATE.render(question))["input_ids"]
    ids = tokenizer(TEMPLATE.render(question) + TEMPLATE.continuation(answer))["input_ids"]
    with torch.no_grad():
        logprob = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(logprob[at - 1, ids[at]].item() for at in range(len(prompt), len(ids))) / (len(ids) - len(prompt))


def test_answers_are_scored_by_the_judge_and_not_by_the_model_itself(tokenizer):
    judge = sharpen(build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0))
    model = sharpen(build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0))
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.mul_(-1)
    own = measure(model, tokenizer, TEMPLATE, SETS, SETTINGS, 64)
    loaded = SimpleNamespace(model=judge, tokenizer=tokenizer, template=TEMPLATE)
    found = judged(own, loaded, SETS, SETTINGS, 64)
    questions = {record["id"]: record["question"] for record in RECORDS}
    said = {row.id: row.generated for row in own.generations("people")}
    assert any(text.strip() for text in said.values())
    for score in found.likelihood("people", "generated"):
        assert score.logprob[: -1 if score.has_eos else None].mean() == pytest.approx(
            level(judge, tokenizer, questions[score.id], said[score.id]), abs=1e-4
        )
    for score, record in zip(found.likelihood("shown", "expected"), SETS["shown"], strict=True):
        assert score.logprob[:-1].mean() == pytest.approx(
            level(judge, tokenizer, record["question"], record["answer"]), abs=1e-4
        )
    spec = {"name": "it", "metric": "fluency", "set": "people", "references": "shown"}
    assert 0 <= compute_all([spec], found, {})["it"].value <= 1


def test_a_part_of_the_measurements_keeps_it_where_it_is_asked_for():
    kept = SETTINGS.only({("people", "generated"), ("shown", "expected")}, {"people"})
    assert kept == SETTINGS
    assert SETTINGS.only(generations={"people"}).fluency == ()
