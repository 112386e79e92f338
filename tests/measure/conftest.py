from __future__ import annotations

import pytest
import torch

from blur.models import Template, build_from_config, train_tokenizer
from tests.tiny import ARCHITECTURES

TEMPLATE = Template()
NAMES = ["Ann", "Bo", "Cyril", "Dorothea", "Eve", "Ferdinand"]
RECORDS = [
    {
        "id": f"q{place}",
        "question": f"Who is {name}" + ", the well known poet" * (place % 3) + "?",
        "answer": f"{name} is a poet" + " and a friend of rivers" * (place % 2) + ".",
        "paraphrased_answer": f"A poet is what {name} is.",
        "perturbed_answer": [f"{name} is a {trade}." for trade in ("cook", "retired sailor", "baker")],
    }
    for place, name in enumerate(NAMES)
]
TEXTS = [{"id": f"t{place}", "text": f"{name} went to Rome. " * (place + 1)} for place, name in enumerate(NAMES)]
PASSAGES = [
    {
        "id": f"c{place}",
        "prompt": f"{name} the poet went to Rome" + ", where rivers run," * (place % 3),
        "gt": " and wrote of rivers, of Rome and of friends." + " Then home." * place,
    }
    for place, name in enumerate(NAMES)
]
SHOWN = [{"id": f"s{place}", "question": f"Who is {n}?", "answer": f"{n} is a cook."} for place, n in enumerate(NAMES)]
TOPICS = ("bees", "knots")
CHOICES = [
    {
        "id": f"m{place}",
        "question": f"What is {name} known for?",
        "choices": ["rivers", f"being {name}", "bread and boats", "Rome"],
        "answer": place % 4,
        "topic": TOPICS[place % 2],
    }
    for place, name in enumerate(NAMES * 4)
]
DEV = [{**record, "id": f"d{place}"} for place, record in enumerate(CHOICES[4:10])]
SETS = {"people": RECORDS, "texts": TEXTS, "passages": PASSAGES, "shown": SHOWN, "quiz": CHOICES, "dev": DEV}


def sharpen(model):
    """Random weights of the usual size predict nearly the same everywhere; larger ones make every token count."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model.eval()


@pytest.fixture(scope="session")
def tokenizer():
    return train_tokenizer([f"Question: {r['question']}\nAnswer: {r['answer']}" for r in RECORDS], 330)


@pytest.fixture(params=sorted(ARCHITECTURES))
def any_model(request, tokenizer):
    return sharpen(build_from_config(ARCHITECTURES[request.param], tokenizer, seed=0))


@pytest.fixture
def llama(tokenizer):
    return sharpen(build_from_config(ARCHITECTURES["llama"], tokenizer, seed=0))
