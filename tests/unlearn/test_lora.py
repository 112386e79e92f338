"""Adapters on every way of storing linear maps, and never on a router."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from peft import LoraConfig, get_peft_model

from blur.attacks.kinds.parts import without_adapter
from blur.core.choice import build as choice
from blur.core.errors import ConfigError
from blur.unlearn.loop import train
from tests import tiny
from tests.architectures import FUSED, build
from tests.unlearn.support import settings, streams

IDS = torch.tensor([[1, 2, 3, 4, 5]])


def scope(**parameters):
    return choice("blur.unlearn.scopes", "Scope", {"name": "lora", "rank": 2, **parameters})


def adapted(model):
    """Names of what is adapted, as in the plain model."""
    marks = ("base_model.model.", ".base_layer", ".lora_A.default.weight")
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad and ".lora_A." in name]
    for mark in marks:
        names = [name.replace(mark, "") for name in names]
    return names


def test_the_library_by_itself_leaves_out_experts_or_adapts_a_router():
    """Why targets are read off the model."""
    config = {"r": 2, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    by_peft = {family: adapted(get_peft_model(build(family), LoraConfig(**config))) for family in FUSED}
    assert any("gate" in name.split(".") for name in by_peft["mixtral"]), "the router"
    assert not any("experts" in name for name in by_peft["gpt_oss"])


@pytest.mark.parametrize("family", FUSED)
def test_experts_are_adapted_trained_merged_and_taken_off_again(family, tmp_path):
    model, plain = build(family), build(family)
    config = settings("ga", "nll", "bilevel", scope={"name": "lora", "rank": 2}, steps=2)
    result = train(model, streams(), config, checkpoint_dir=tmp_path)
    others = dict(plain.named_parameters())
    moved = {name for name, one in result.model.named_parameters() if not torch.equal(one, others[name])}
    assert {name.rpartition(".")[2] for name in moved if "experts." in name} >= {"gate_up_proj", "down_proj"}
    assert not any(".gate." in name or ".router." in name for name in moved)
    back = without_adapter(copy.deepcopy(result.model), result.adapter)
    for name, one in back.named_parameters():
        assert torch.allclose(one, others[name], atol=1e-6), name
    stored = json.loads((result.adapter / "adapter_config.json").read_text())
    assert stored["target_parameters"] == sorted(stored["target_parameters"])


def test_targets_are_ends_of_names_and_a_wrong_one_is_named_with_its_neighbours():
    assert adapted(scope(targets=["q_proj", "mlp.down_proj"]).apply(tiny.build("llama", 1))) == [
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.mlp.down_proj",
    ]
    experts = adapted(scope(targets=["experts.down_proj"]).apply(build("mixtral")))
    assert experts == ["model.layers.0.mlp.experts", "model.layers.1.mlp.experts"]
    with pytest.raises(ConfigError, match=r"scope.targets: no linear map is called 'q_prj'. Nearest: q_proj"):
        scope(targets=["q_prj"]).apply(tiny.build("llama", 1))
    with pytest.raises(ConfigError, match="no linear map is called 'gate'"):
        scope(targets=["gate"]).apply(build("mixtral"))


def test_dropout_on_experts_is_refused():
    with pytest.raises(ConfigError, match=r"scope.dropout: peft has no dropout for fused experts"):
        scope(dropout=0.1).apply(build("mixtral"))
    scope(dropout=0.1, targets=["q_proj"]).apply(build("mixtral"))


@pytest.mark.parametrize("family", ["mamba", "jamba"])
def test_of_a_state_space_layer_what_is_adapted_gets_a_gradient(family):
    model = scope().apply(build(family))
    model(input_ids=IDS, use_cache=False).logits.square().sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if ".lora_B." in name}
    assert all(one is not None and one.any() for one in gradients.values())
    assert any(".in_proj." in name for name in gradients)
