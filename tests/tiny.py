"""Tiny models of many families with random weights, for the tests of every package."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

VOCAB = 40
WIDTHS = {"gpt2": ("n_embd",), "opt": ("hidden_size", "word_embed_proj_dim")}  # `hidden_size` elsewhere
PLAIN = {"intermediate_size": 24, "num_attention_heads": 2}
GROUPED = {**PLAIN, "num_key_value_heads": 1}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 4},
    "qwen2": GROUPED,
    "gemma2": {**GROUPED, "head_dim": 8},
    "gpt2": {"n_head": 2, "n_positions": 32, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
    "gpt_neox": PLAIN,
    "opt": {"ffn_dim": 24, "num_attention_heads": 2, "dropout": 0.0},
    "phi": PLAIN,
}
_TWO_LAYERS = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
# As a model's file has them, without a vocabulary: for `build_from_config` with a tokenizer.
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"model_type": "llama", **_TWO_LAYERS, "tie_word_embeddings": True},
    "gpt2": {"model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 2},
    "gemma2": {
        "model_type": "gemma2",
        **_TWO_LAYERS,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "final_logit_softcapping": 5.0,
    },
}


def build(family: str = "llama", layers: int = 3, width: int = 16, **changes: Any) -> PreTrainedModel:
    """A model of ``FAMILIES`` in float32, to be evaluated; ``changes`` replace fields of its configuration."""
    torch.manual_seed(0)
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0)
    widths = dict.fromkeys(WIDTHS.get(family, ("hidden_size",)), width)
    fields = {**FAMILIES[family], **widths, **special, **changes}
    config = AutoConfig.for_model(family, vocab_size=VOCAB, num_hidden_layers=layers, **fields)
    return AutoModelForCausalLM.from_config(config).eval()
