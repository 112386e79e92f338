"""Linear maps by structure: every way of storing them, what they cover, and which of them lead back to the width."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForImageTextToText, Gemma3Config, Qwen2MoeConfig, Qwen2MoeForCausalLM

from blur.models.maps import adaptable_maps, covered_share, down_projections, linear_maps
from tests.architectures import ALL, EXPERTS, FUSED, WIDTH, build

DOWN = {
    **dict.fromkeys(ALL, "model.layers.1.mlp.down_proj.weight"),
    **dict.fromkeys(FUSED, "model.layers.1.mlp.experts.down_proj"),
    "gpt2": "transformer.h.1.mlp.c_proj.weight",
    "gpt_neox": "gpt_neox.layers.1.mlp.dense_4h_to_h.weight",
    "opt": "model.decoder.layers.1.fc2.weight",
    "bloom": "transformer.h.1.mlp.dense_4h_to_h.weight",
    "falcon": "transformer.h.1.mlp.dense_4h_to_h.weight",
    "gptj": "transformer.h.1.mlp.fc_out.weight",
    "mpt": "transformer.blocks.1.ffn.down_proj.weight",
    "mamba": "backbone.layers.1.mixer.out_proj.weight",
    "mamba2": "backbone.layers.1.mixer.out_proj.weight",
    "jamba": "model.layers.1.feed_forward.experts.down_proj",
}
STATES = ("mamba", "mamba2", "jamba")  # convolutions and A_log are no linear maps


def share(model, maps):
    return covered_share(model, {one.name for one in maps})


def inner(model):
    return [one for one in linear_maps(model) if one.layer is not model.get_output_embeddings()]


@pytest.mark.parametrize("family", ALL)
def test_nearly_all_weights_are_linear_maps_and_one_leads_back(family):
    model = build(family, device="meta")
    covered = share(model, inner(model))
    assert covered == 1 if family not in (*FUSED, *STATES) else 0.9 < covered < 1
    adapted = share(model, adaptable_maps(model))
    assert adapted < 0.9 if family in STATES else adapted == covered
    names = [one.name for one in down_projections(model, 1)]
    shared = ["model.layers.1.mlp.shared_experts.down_proj.weight"] if family == "deepseek_v3" else []
    assert names == [DOWN[family], *shared]
    assert all(one.stack.shape[1] == WIDTH for one in down_projections(model, 1))


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_a_stack_has_outputs_before_inputs_in_the_weights_own_memory(family):
    model = build(family)
    (one,) = (one for one in linear_maps(model) if one.name == "model.layers.0.mlp.experts.down_proj")
    turned = family == "gpt_oss"
    assert (one.is_turned, one.is_fused) == (turned, True)
    assert one.stack.shape == (EXPERTS, WIDTH, 48)
    assert torch.equal(one.stored(one.stack), one.weight)
    one.stack[2].copy_(torch.arange(WIDTH * 48.0).reshape(WIDTH, 48))
    weight = model.model.layers[0].mlp.experts.down_proj[2]
    assert weight[(7, 5) if turned else (5, 7)] == 5 * 48 + 7


def test_a_fused_map_that_nobody_knows_counts_as_uncovered():
    """Llama 4's experts lie in a module that does not say how."""
    model = build("mixtral", device="meta")
    for layer in model.model.layers:
        del layer.mlp.experts.is_transposed
    assert share(model, inner(model)) < 0.2


def test_routers_and_gates_of_shared_experts_are_not_adapted():
    sizes = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 4}
    config = Qwen2MoeConfig(vocab_size=40, intermediate_size=48, moe_intermediate_size=24, num_experts=6, **sizes)
    with torch.device("meta"):
        model = Qwen2MoeForCausalLM(config)
        model.model.layers[0].mlp.gate = torch.nn.Linear(32, 6)  # as AFMoE has it
    names = {one.name.removeprefix("model.layers.0.") for one in adaptable_maps(model)}
    mlp = {"experts.gate_up_proj", "experts.down_proj"}
    mlp |= {f"shared_expert.{name}_proj.weight" for name in ("gate", "up", "down")}
    assert names == {*(f"self_attn.{name}_proj.weight" for name in "qkvo"), *(f"mlp.{name}" for name in mlp)}


def test_of_a_multimodal_model_only_the_language_models_layers_count():
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    text = {**sizes, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 40}
    config = Gemma3Config(text_config=text, vision_config={**sizes, "image_size": 28, "patch_size": 14})
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    (one,) = down_projections(model, 1)
    assert one.name == "model.language_model.layers.1.mlp.down_proj.weight"
