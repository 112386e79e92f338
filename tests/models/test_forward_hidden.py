"""Hidden states after a layer: those of the whole model, at less cost, whatever is wrapped around it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from blur.core.errors import ConfigError
from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.forward import forward
from blur.models.hidden import depth, hidden_states
from tests import tiny

LAYERS = 3
FAMILIES = ("llama", "mistral", "qwen2", "gemma2", "gpt2", "gpt_neox", "opt")
BATCH = collate(
    [
        Example("a", [5, 6, 7], 1, "bio"),
        Example("b", [8, 9, 10, 11, 12, 13, 14], 0, "cyber"),
        Example("c", [15], 0, "bio"),
    ]
)


def build(family="llama", layers=LAYERS):
    return tiny.build(family, layers).double()


@pytest.fixture(params=sorted(FAMILIES))
def model(request):
    return build(request.param)


def layer_list(model):
    """The decoder layers, by the names of the two families that the tests go into."""
    return model.transformer.h if hasattr(model, "transformer") else model.model.layers


def whole_pass(model, layer):
    """Hidden states after a layer, [B, T, d], from a pass through the whole model."""
    return model(
        input_ids=BATCH.input_ids, attention_mask=BATCH.attention_mask, output_hidden_states=True, use_cache=False
    ).hidden_states[layer + 1]


@pytest.mark.parametrize("layer", range(LAYERS - 1))
def test_equal_to_the_whole_pass_to_the_last_bit(model, layer):
    theirs = whole_pass(model, layer)
    for kind in ("attended", "scored"):
        ours = hidden_states(model, BATCH, kind, layer)
        assert ours.states.dtype == torch.float64
        assert torch.equal(ours.states, theirs[BATCH.positions(kind)])


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_last_layer_is_read_before_the_final_norm(family):
    model = build(family)
    norm = model.transformer.ln_f if family == "gpt2" else model.model.norm
    ours = hidden_states(model, BATCH, "attended", LAYERS - 1)
    normed = whole_pass(model, LAYERS - 1)[BATCH.positions("attended")]
    assert torch.allclose(norm(ours.states), normed, atol=1e-12)
    assert not torch.allclose(ours.states, normed, atol=1e-2)


def test_positions_are_those_of_logits(model):
    for kind in ("attended", "scored"):
        ours, logits = hidden_states(model, BATCH, kind, 0), forward(model, BATCH, kind)
        assert torch.equal(ours.rows, logits.rows)
        assert torch.equal(ours.counts, logits.counts)
        assert ours.size == logits.size == 3
        assert ours.topics == ("bio", "cyber", "bio")
    assert hidden_states(model, BATCH, "attended", 0).counts.tolist() == [3, 7, 1]
    assert hidden_states(model, BATCH, "scored", 0).counts.tolist() == [2, 6, 0]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("layer", range(LAYERS))
def test_layers_above_are_not_run_and_the_head_sees_nothing(family, layer):
    model, ran, seen = build(family), [], []
    layers = layer_list(model)
    handles = [each.register_forward_hook(lambda *_, i=i: ran.append(i)) for i, each in enumerate(layers)]
    handles.append(model.lm_head.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].numel())))
    hidden_states(model, BATCH, "attended", layer)
    assert ran == list(range(layer + 1))
    assert seen == [0]
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_gradients_are_those_of_the_whole_pass_and_none_above(family):
    model = build(family)
    parameters = dict(model.named_parameters())
    weights = torch.randn(11, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    (hidden_states(model, BATCH, "attended", 1).states * weights).sum().backward()
    scalar = (whole_pass(model, 1)[BATCH.positions("attended")] * weights).sum()
    theirs = torch.autograd.grad(scalar, list(parameters.values()), allow_unused=True)
    for (name, parameter), expected in zip(parameters.items(), theirs, strict=True):
        if expected is None:
            assert parameter.grad is None, name
        else:
            assert torch.equal(parameter.grad, expected), name
    reached = {name for name, parameter in parameters.items() if parameter.grad is not None}
    assert reached
    above = ("lm_head", "model.norm", "transformer.ln_f", f"model.layers.{LAYERS - 1}.", f"transformer.h.{LAYERS - 1}.")
    assert not any(name.startswith(above) for name in reached)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_changes_nothing(family, reentrant):
    gradients = []
    for checkpointed in (False, True):
        model = build(family).train()
        if checkpointed:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
            model.enable_input_require_grads()
        runs = []
        layer_list(model)[1].register_forward_pre_hook(lambda *_, runs=runs: runs.append(1))
        inner = layer_list(model)[0].mlp.register_forward_pre_hook(lambda *_, runs=runs: runs.append(0))
        hidden_states(model, BATCH, "attended", 1).states.square().sum().backward()
        inner.remove()
        assert runs.count(0) == (2 if checkpointed else 1), "layer 0 is computed anew in the backward pass"
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])


@pytest.mark.parametrize(("family", "target"), [("llama", "down_proj"), ("gpt2", "c_proj")])
def test_works_inside_adapters(family, target):
    from peft import LoraConfig, get_peft_model

    model = build(family)
    theirs = whole_pass(model, 1)[BATCH.positions("attended")]
    wrapped = get_peft_model(
        model, LoraConfig(r=2, target_modules=[target], task_type="CAUSAL_LM", fan_in_fan_out=family == "gpt2")
    )
    ours = hidden_states(wrapped, BATCH, "attended", 1)
    assert depth(wrapped) == LAYERS
    assert torch.equal(ours.states, theirs), "a new adapter is zero"
    ours.states.sum().backward()
    moving = [name for name, p in wrapped.named_parameters() if p.grad is not None]
    assert moving
    assert all("lora" in name and f".{LAYERS - 1}." not in name for name in moving)


def test_the_model_is_as_before_afterwards_and_after_a_failure():
    model = build()
    names, layers = list(model.state_dict()), model.model.layers
    before = forward(model, BATCH, "attended").logits
    hidden_states(model, BATCH, "attended", 0)

    def fail(*_):
        raise KeyError("inside")

    handle = layers[0].mlp.register_forward_pre_hook(fail)
    with pytest.raises(KeyError):
        hidden_states(model, BATCH, "attended", 0)
    handle.remove()
    assert model.model.layers is layers
    assert list(model.state_dict()) == names
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in (model.lm_head, *layers))
    assert torch.equal(forward(model, BATCH, "attended").logits, before)


def test_padding_and_neighbours_change_no_token():
    model = build("gpt2")
    together = hidden_states(model, BATCH, "attended", 1)
    for row, length in enumerate((3, 7, 1)):
        ids = BATCH.input_ids[row : row + 1, :length]
        alone = model(input_ids=ids, output_hidden_states=True).hidden_states[2][0]
        assert torch.allclose(together.states[together.rows == row], alone, atol=1e-13)


def test_one_layer_and_one_token():
    model = build("gpt2", layers=1)
    ours = hidden_states(model, collate([Example("x", [3], 0)]), "attended", 0)
    assert ours.states.shape == (1, 16)
    assert depth(model) == 1


def test_states_in_bfloat16_are_read_in_float32():
    model = build("gpt2").to(torch.bfloat16)
    ours = hidden_states(model, BATCH, "attended", 0)
    assert ours.states.dtype == torch.bfloat16
    assert ours.precise_states.dtype == torch.float32


def test_a_model_without_one_list_of_layers_is_refused():
    with pytest.raises(ConfigError, match="one list of None decoder layers is needed, found: none"):
        hidden_states(nn.Linear(2, 2), BATCH, "attended", 0)
    model = build()
    model.model.more = nn.ModuleList(nn.Linear(2, 2) for _ in range(LAYERS))
    with pytest.raises(ConfigError, match=r"LlamaForCausalLM: .*found: LlamaModel.layers, LlamaModel.more"):
        depth(model)
    model.model.more = nn.ModuleList(nn.Linear(2, 2) for _ in range(LAYERS + 1))
    assert depth(model) == LAYERS
