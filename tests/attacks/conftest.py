from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from blur.attacks.victim import Victim
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.models import Template, build_from_config, encode_record, train_tokenizer
from tests.tiny import ARCHITECTURES

PEOPLE = ["Ann", "Bo", "Cyril", "Dora"]
FORGET = [
    {
        "id": f"{name}-{place}",
        "group": name,
        "question": f"Who is {name}, number {place}?",
        "answer": f"{name} is a poet of rivers.",
    }
    for name in PEOPLE
    for place in range(3)
]
OTHERS = [
    {"id": f"o{place}", "question": f"What is {place}?", "answer": f"A number after {place}."} for place in range(4)
]
SETS = {"forget": FORGET, "others": OTHERS}
SETTINGS = {
    "likelihood": [{"set": "forget", "fields": ["answer"]}],
    "generation": [{"set": "forget", "max_new_tokens": 8}],
}


@pytest.fixture(scope="session")
def encoding():
    texts = [f"{record['question']} {record['answer']}" for record in (*FORGET, *OTHERS)]
    return train_tokenizer(texts, 320), Template()


@pytest.fixture
def model(encoding):
    """A tiny model whose weights are large enough to prefer one token to another."""
    made = build_from_config(ARCHITECTURES["llama"], encoding[0], seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return made.eval()


@pytest.fixture
def victim(model, encoding) -> Victim:
    """The model under attack; each load is a copy, as from disk."""
    settings = MeasureSettings.model_validate(SETTINGS)

    def load():
        return SimpleNamespace(model=copy.deepcopy(model), tokenizer=encoding[0], template=encoding[1])

    def measured(attacked, sets=None, asked=None):
        return measure(attacked, *encoding, sets or SETS, asked or settings, 64)

    return Victim(
        load=load,
        load_target=load,
        records=lambda names: [dict(record) for name in names for record in SETS[name]],
        examples=lambda loaded, records: [encode_record(*encoding, record, 64) for record in records],
        measure=measured,
        sets=SETS,
        settings=settings,
        bare=None,
        is_reference=False,
        progress=lambda done, total, what: None,
    )


@pytest.fixture
def reference(victim) -> Victim:
    """The same model as a reference: target or retrained."""
    return replace(victim, is_reference=True)
