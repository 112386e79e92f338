"""Removal of parts: an adapter subtracted from the weights it was merged into."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from blur.attacks.kinds.parts import NONE, Attack, without_adapter
from tests.attacks.same import plain

ATTACK = Attack.model_validate({"arms": {"adapter": "adapter"}})


@pytest.fixture
def merged(model, tmp_path):
    """The model with an adapter merged in, and the adapter's folder."""
    from peft import LoraConfig, get_peft_model

    wrapped = get_peft_model(
        copy.deepcopy(model), LoraConfig(r=2, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    wrapped.save_pretrained(str(tmp_path / "adapter"))
    return wrapped.merge_and_unload(), tmp_path / "adapter"


def test_what_is_left_is_the_model_from_before(model, merged):
    unlearned, adapter = merged
    start = model.state_dict()
    moved = [name for name, tensor in unlearned.state_dict().items() if not torch.equal(tensor, start[name])]
    assert len(moved) == 14  # seven linear layers in each of two blocks
    found = without_adapter(copy.deepcopy(unlearned), adapter).state_dict()
    assert found.keys() == start.keys()
    assert max((found[name] - start[name]).abs().max() for name in start) < 2e-6


def test_the_attack_measures_the_model_without_it(victim, model, merged):
    unlearned, adapter = merged
    loaded = victim.load()
    attacked = replace(victim, adapter=adapter, load=lambda: replace_model(loaded, unlearned))
    point = ATTACK.strike("adapter", attacked)[""]
    before = victim.measure(model).likelihood("forget", "answer")
    for score, other in zip(point.measured.likelihood("forget", "answer"), before, strict=True):
        assert score.logprob == pytest.approx(other.logprob, abs=1e-3)


def replace_model(loaded, model):
    loaded.model = copy.deepcopy(model)
    return loaded


def test_a_model_without_parts_says_so_and_a_reference_is_measured_as_it_is(victim, reference, model):
    assert ATTACK.strike("adapter", victim)[""].measured is None
    assert ATTACK.strike("adapter", victim)[""].about == {"reason": NONE}
    point = ATTACK.strike("adapter", reference)[""]
    assert plain(point.measured) == plain(victim.measure(model))
