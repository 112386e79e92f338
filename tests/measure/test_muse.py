"""VerbMem, KnowMem and PrivLeak, batched, against MUSE's description one text at a time."""

from __future__ import annotations

import pytest
import torch

from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.metrics import compute_all
from blur.models import Template, build_from_config
from tests.measure import plain
from tests.measure.conftest import NAMES, PASSAGES, RECORDS, SHOWN, sharpen
from tests.tiny import ARCHITECTURES

STOPS = ["\n\n", "\nQuestion", "Question:"]
SETTINGS = MeasureSettings.model_validate(
    {
        "likelihood": [{"set": "forget", "fields": ["text"]}, {"set": "holdout", "fields": ["text"]}],
        "generation": [
            {"set": "verbmem", "max_new_tokens": 24},
            {"set": "forget_qa", "examples": "forget_qa_icl", "max_new_tokens": 12},
        ],
        "max_batch_tokens": 300,
    }
)
SPECS = [
    {"name": "verbmem_f", "metric": "rouge_l_f1", "set": "verbmem"},
    {"name": "verbmem_f_stemmed", "metric": "rouge_l_f1", "set": "verbmem", "stemmer": True},
    {"name": "knowmem_f", "metric": "rouge_l_f1", "set": "forget_qa", "stop": STOPS},
    {"name": "privleak", "metric": "privleak", "members": "forget", "nonmembers": "holdout", "field": "text"},
]


def texts(word):
    return [{"id": f"{word}{i}", "text": f"{name} {word} in Rome. " * (1 + i % 4)} for i, name in enumerate(NAMES * 2)]


@pytest.fixture
def world(tokenizer):
    """Two models and data; a reference begins with what the first model says, so that scores are between 0 and 1."""
    model, retrained = (sharpen(build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0)) for _ in range(2))
    with torch.no_grad():
        retrained.lm_head.weight.mul_(0.7)
        retrained.model.layers[0].mlp.up_proj.weight.mul_(-1)
    sets = {"forget": texts("sang"), "holdout": texts("slept"), "forget_qa_icl": SHOWN[:3]}
    sets["verbmem"] = [{**record, "gt": begun(model, tokenizer, record["prompt"], 7)} for record in PASSAGES]
    shown = "".join(f"Question: {r['question']}\nAnswer: {r['answer']}\n\n" for r in SHOWN[:3])
    sets["forget_qa"] = [
        {**record, "answer": begun(model, tokenizer, f"{shown}Question: {record['question']}\nAnswer:", 5)}
        for record in RECORDS
    ]
    return model, retrained, sets


def begun(model, tokenizer, prompt, size):
    said = plain.greedy(model, tokenizer(prompt)["input_ids"], size, None)
    return tokenizer.decode(said) + " and a poet of Rome, one of many"


def test_equal_to_muses_description_one_text_at_a_time(tokenizer, world):
    model, retrained, sets = world
    found = [measure(one, tokenizer, Template(), sets, SETTINGS, 200) for one in (model, retrained)]
    metrics = compute_all(SPECS, found[0], {"retrained": found[1]})
    expected = {
        "verbmem_f": plain.verbmem(model, tokenizer, sets["verbmem"], 24),
        "verbmem_f_stemmed": plain.verbmem(model, tokenizer, sets["verbmem"], 24, stemmer=True),
        "knowmem_f": plain.knowmem(model, tokenizer, sets["forget_qa"], sets["forget_qa_icl"], 12),
    }
    for name, scores in expected.items():
        (items,) = metrics[name].items.values()
        assert list(items.values()) == pytest.approx(scores, abs=1e-6)
        assert metrics[name].value == pytest.approx(sum(scores) / len(scores), abs=1e-6)
        assert len({round(score, 6) for score in scores}) > 2
    leak = plain.privleak(model, retrained, tokenizer, sets["forget"], sets["holdout"])
    assert metrics["privleak"].value == pytest.approx(leak, abs=1e-6)
    assert abs(leak) > 1


def test_batches_are_faster_than_one_text_at_a_time(tokenizer, world):
    """A loose bound, in forward passes, which no busy machine changes; ``tests.measure.bench`` has the seconds."""
    model, _, sets = world
    calls = []
    model.register_forward_pre_hook(lambda *_: calls.append(1))
    measure(model, tokenizer, Template(), sets, SETTINGS.model_copy(update={"likelihood": ()}), 200)
    batched = len(calls)
    plain.verbmem(model, tokenizer, sets["verbmem"], 24, plain.cached)
    plain.knowmem(model, tokenizer, sets["forget_qa"], sets["forget_qa_icl"], 12, plain.cached)
    assert 5 * batched <= len(calls) - batched
