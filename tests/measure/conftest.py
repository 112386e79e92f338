from __future__ import annotations

import pytest
import torch

from blur.models import Template, build_from_config, train_tokenizer

SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
ARCHITECTURES = {
    "llama": {"model_type": "llama", **SIZES, "tie_word_embeddings": True},
    "gpt2": {"model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 2},
    "gemma2": {
        "model_type": "gemma2",
        **SIZES,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "final_logit_softcapping": 5.0,
    },
}
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
SETS = {"people": RECORDS, "texts": TEXTS}


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
