"""Tiny models of two architectures: Llama has nn.Linear, GPT-2 has Conv1D, whose weights lie the other way round."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from blur.core.choice import build
from tests.unlearn.support import VOCAB, examples, tiny_model

TEXTS = examples(20, "c")
torch.set_num_threads(1)


def llama(tied: bool = True, dtype: torch.dtype = torch.float32, seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=VOCAB,
        tie_word_embeddings=tied,
        initializer_range=0.3,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def gpt2(dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    return tiny_model(seed, dtype)


def quantizer(name: str, **settings: Any) -> Any:
    return build("blur.attacks.quantizers", "Quantizer", {"name": name, **settings})


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([model(input_ids=torch.tensor([text.input_ids])).logits[0] for text in TEXTS]).double()
