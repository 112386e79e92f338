"""Two-layer configurations of many families, as a model's file has them: without a vocabulary."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

WIDTH, LAYERS, EXPERTS = 32, 2, 4
_SIZES = {"num_hidden_layers": LAYERS, "hidden_size": WIDTH, "num_attention_heads": 4}
_PLAIN = {**_SIZES, "intermediate_size": 48, "max_position_embeddings": 128}
_GROUPED = {**_PLAIN, "num_key_value_heads": 2}
_HEADED = {**_GROUPED, "head_dim": 8}
_GPT = {"n_layer": LAYERS, "n_embd": WIDTH, "n_head": 4, "n_positions": 128}
_SPARSE = {**_GROUPED, "num_experts": EXPERTS, "num_experts_per_tok": 2}
_LOCAL = {"num_local_experts": EXPERTS, "num_experts_per_tok": 2}
_STATE = {"num_hidden_layers": LAYERS, "hidden_size": WIDTH, "state_size": 8}
MUST: dict[str, dict[str, Any]] = {
    "llama": _GROUPED,
    "gpt2": _GPT,
    "gpt_neox": _PLAIN,
    "qwen2": _GROUPED,
    "qwen3": _HEADED,
    "mistral": {**_GROUPED, "sliding_window": 16},
    "gemma2": {**_HEADED, "query_pre_attn_scalar": 8, "sliding_window": 16},
    "gemma3_text": {**_HEADED, "query_pre_attn_scalar": 8, "sliding_window": 16},
    "phi3": {**_GROUPED, "original_max_position_embeddings": 128},
    "olmo2": _GROUPED,
    "opt": {**_SIZES, "ffn_dim": 48, "word_embed_proj_dim": WIDTH, "max_position_embeddings": 128},
    "bloom": {"n_layer": LAYERS, "hidden_size": WIDTH, "n_head": 4},
    "falcon": {**_SIZES, "num_kv_heads": 2},
    "mixtral": {**_GROUPED, **_LOCAL},
    "olmoe": _SPARSE,
    "qwen3_moe": {**_SPARSE, "head_dim": 8, "moe_intermediate_size": 24},
}
MAY: dict[str, dict[str, Any]] = {
    "gptj": {**_GPT, "rotary_dim": 4},
    "mpt": {"n_layers": LAYERS, "d_model": WIDTH, "n_heads": 4, "max_seq_len": 128},
    "deepseek_v3": {
        **_PLAIN,
        "num_key_value_heads": 4,
        "moe_intermediate_size": 24,
        "n_routed_experts": EXPERTS,
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 8,
        "v_head_dim": 8,
    },
    "gpt_oss": {**_HEADED, **_LOCAL, "sliding_window": 16},
    "mamba": _STATE,
    "mamba2": {**_STATE, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 16},
    "jamba": {
        **_GROUPED,
        "num_experts": EXPERTS,
        "num_experts_per_tok": 2,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "mamba_d_state": 8,
        "mamba_dt_rank": 4,
    },
}
ALL = {**MUST, **MAY}
FUSED = ("mixtral", "olmoe", "qwen3_moe", "deepseek_v3", "gpt_oss", "jamba")  # experts in 3-D parameters


def fields(family: str) -> dict[str, Any]:
    """The family's ``architecture``, as a model's file has it."""
    return {"model_type": family, **ALL[family]}


def build(family: str, vocab: int = 40, device: str = "cpu", **changes: Any) -> PreTrainedModel:
    """A model of the family in float32 with random weights, to be evaluated; ``changes`` replace fields."""
    torch.manual_seed(0)
    special = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0)
    config = AutoConfig.for_model(family, **{**ALL[family], "vocab_size": vocab, **special, **changes})
    with torch.device(device):
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
