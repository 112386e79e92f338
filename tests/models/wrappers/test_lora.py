"""Adapters on every way of storing linear maps, and never on a router."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from blur.core import manifest as manifests
from blur.core.choice import build as choice
from blur.core.errors import ArtifactError, ConfigError
from blur.models import load, save
from blur.models.wrappers.base import FOLDER
from blur.unlearn.loop import train
from tests import tiny
from tests.architectures import FUSED, build
from tests.families import encoding
from tests.unlearn.support import settings, streams

IDS = torch.tensor([[1, 2, 3, 4, 5]])


def lora(**parameters):
    return choice("blur.models.wrappers", "Wrapper", {"name": "lora", "rank": 2, **parameters})


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
    config = settings("ga", "nll", "bilevel", wrapper={"name": "lora", "rank": 2}, steps=2)
    result = train(model, streams(), config, checkpoint_dir=tmp_path)
    others = dict(plain.named_parameters())
    moved = {name for name, one in result.model.named_parameters() if not torch.equal(one, others[name])}
    assert {name.rpartition(".")[2] for name in moved if "experts." in name} >= {"gate_up_proj", "down_proj"}
    assert not any(".gate." in name or ".router." in name for name in moved)
    back = config.wrapper.off(copy.deepcopy(result.model), result.wrapper)
    for name, one in back.named_parameters():
        assert torch.allclose(one, others[name], atol=1e-6), name
    stored = json.loads((result.wrapper / "adapter_config.json").read_text())
    assert stored["target_parameters"] == sorted(stored["target_parameters"])


def test_targets_are_ends_of_names_and_a_wrong_one_is_named_with_its_neighbours():
    assert adapted(lora(targets=["q_proj", "mlp.down_proj"]).wrap(tiny.build("llama", 1))) == [
        "model.layers.0.self_attn.q_proj",
        "model.layers.0.mlp.down_proj",
    ]
    experts = adapted(lora(targets=["experts.down_proj"]).wrap(build("mixtral")))
    assert experts == ["model.layers.0.mlp.experts", "model.layers.1.mlp.experts"]
    with pytest.raises(ConfigError, match=r"wrapper.targets: no linear map is called 'q_prj'. Nearest: q_proj"):
        lora(targets=["q_prj"]).wrap(tiny.build("llama", 1))
    with pytest.raises(ConfigError, match="no linear map is called 'gate'"):
        lora(targets=["gate"]).wrap(build("mixtral"))


def test_dropout_on_experts_is_refused():
    with pytest.raises(ConfigError, match=r"wrapper.dropout: peft has no dropout for fused experts"):
        lora(dropout=0.1).wrap(build("mixtral"))
    lora(dropout=0.1, targets=["q_proj"]).wrap(build("mixtral"))


@pytest.mark.parametrize("family", ["mamba", "jamba"])
def test_of_a_state_space_layer_what_is_adapted_gets_a_gradient(family):
    model = lora().wrap(build(family))
    model(input_ids=IDS, use_cache=False).logits.square().sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if ".lora_B." in name}
    assert all(one is not None and one.any() for one in gradients.values())
    assert any(".in_proj." in name for name in gradients)


ENCODING = encoding()


def build_llama():
    return build("llama", vocab=len(ENCODING[0]))


def trained(model, **parameters):
    """A model with adapters that have moved, and their settings."""
    wrapper = lora(alpha=6, **parameters)
    wrapped = wrapper.wrap(model)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    return wrapper, wrapped


def stored(folder, wrapper, model):
    """Store a model as the stage does: weights, what the wrapper keeps, and a manifest that names it."""
    names = save(model, *ENCODING, folder, "card")
    names += [f"{FOLDER}/{path.name}" for path in (folder / FOLDER).iterdir() if path.suffix != ".md"]
    manifests.write(folder, "unlearn", {}, names, {}, wrapper=wrapper.model_dump(mode="json"))


def logits(model):
    return model(input_ids=IDS).logits


@pytest.mark.parametrize("merge", [True, False])
def test_the_loader_puts_it_around_the_model_and_takes_it_off(merge, tmp_path):
    """Merged or not: the model that was trained comes back, and without its adapter the one from before."""
    start = logits(build_llama())
    wrapper, wrapped = trained(build_llama(), merge=merge)
    wanted = logits(wrapped)
    stored(tmp_path, wrapper, wrapper.finish(wrapped, tmp_path / FOLDER))
    assert (wanted - start).abs().max() > 1e-3
    assert torch.allclose(logits(load(tmp_path).model), wanted, atol=1e-5)
    assert torch.allclose(logits(load(tmp_path, bare=True).model), start, atol=1e-5)
    plain = logits(AutoModelForCausalLM.from_pretrained(tmp_path))
    assert torch.allclose(plain, wanted if merge else start, atol=1e-5), "what others load"


def test_a_changed_adapter_is_found_out(tmp_path):
    wrapper, wrapped = trained(build_llama(), merge=False)
    stored(tmp_path, wrapper, wrapper.finish(wrapped, tmp_path / FOLDER))
    path = tmp_path / FOLDER / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="adapter_model"):
        load(tmp_path)


def test_a_manifest_with_an_unknown_wrapper_is_named(tmp_path):
    wrapper, wrapped = trained(build_llama())
    stored(tmp_path, wrapper, wrapper.finish(wrapped, tmp_path / FOLDER))
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"name": "lora"', '"name": "lroa"'))
    with pytest.raises(
        ArtifactError,
        match=r"manifest.json: wrapper: no 'lroa' among contrast, lora, none, projection; did you mean 'lora'",
    ):
        load(tmp_path)
