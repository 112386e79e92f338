"""Layers scaled to a model's depth, by losses and by the scopes `modules` and `down_projections`."""

from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from pydantic import ValidationError

from blur.core.choice import build
from blur.core.errors import ConfigError
from blur.models.anatomy import Built
from blur.unlearn.depth import scaled_layer
from blur.unlearn.loop import train
from blur.unlearn.step import Sources
from blur.unlearn.views import View, view_of
from tests import tiny
from tests.unlearn.support import Capture, loss, settings, streams, tiny_model, value

DEPTHS = (1, 2, 4, 6, 12, 24, 32)
DOWN = r"\.{layer}\.(mlp\.)?(down_proj|c_proj|dense_4h_to_h|fc2)\.weight$"


BY_STRUCTURE = {"name": "down_projections"}


def scope(**parameters):
    return build("blur.unlearn.scopes", "Scope", {"name": "modules", **parameters})


def test_layer_7_of_32_is_a_quarter_of_the_way_up_at_any_depth():
    assert [scaled_layer(7, 32, depth, "") for depth in DEPTHS] == [0, 0, 0, 1, 2, 5, 7]
    assert [scaled_layer(31, 32, depth, "") for depth in DEPTHS] == [depth - 1 for depth in DEPTHS]
    assert [scaled_layer(0, 32, depth, "") for depth in DEPTHS] == [0] * 7
    assert [scaled_layer(15, 32, depth, "") for depth in DEPTHS] == [0, 0, 1, 2, 5, 11, 15]
    assert scaled_layer(0, 1, 32, "") == 31, "all of a one-layer model is all of a deep one"


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("of", DEPTHS)
def test_scaling_is_monotone_valid_and_nothing_at_equal_depth(of, depth):
    layers = [scaled_layer(layer, of, depth, "") for layer in range(of)]
    assert all(0 <= layer < depth for layer in layers)
    assert all(low <= high for low, high in pairwise(layers))
    assert layers[-1] == depth - 1
    assert [scaled_layer(layer, depth, depth, "") for layer in range(depth)] == list(range(depth))
    assert [scaled_layer(layer, None, depth, "") for layer in range(depth)] == list(range(depth))


def test_the_layers_that_move_never_pass_the_layer_that_is_read():
    for depth in DEPTHS:
        moving = [scaled_layer(layer, 32, depth, "") for layer in (5, 6, 7)]
        assert max(moving) == scaled_layer(7, 32, depth, "")


def test_a_layer_that_is_not_there_is_named_with_the_range():
    model = tiny_model()
    assert view_of(loss("rmu", layer=7, of=32), Built(model)) == View("attended", 0)
    assert view_of(loss("activation_mse", layer=1), Built(model)) == View("attended", 1)
    with pytest.raises(ConfigError, match=r"^rmu.layer: no layer 7 in .* of 2 layers: .* from 0 to 1. Or .*`of`"):
        view_of(loss("rmu", layer=7), Built(model))
    with pytest.raises(ConfigError, match=r"activation_mse.layer: no layer 2"):
        train(model, streams(), settings("ga", {"name": "activation_mse", "layer": 2}), reference_model=tiny_model())
    with pytest.raises(ConfigError, match=r"scope.layers: no layer 2 in a model of 2 layers"):
        scope(patterns=[DOWN], layers=[1, 2]).apply(model)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layer": 32, "of": 32}, "no layer 32 in a model of 32 layers: they are numbered from 0 to 31"),
        ({"layer": -1}, "layer: should be greater than or equal to 0"),
        ({"layer": None}, "layer: should be a whole number"),
        ({"layer": 0, "of": 0}, "of: should be greater than or equal to 1"),
        ({"layer": 0, "coefficient": 0}, "coefficient: should be greater than 0"),
        ({"layer": 0, "coeff": 2}, "did you mean 'coefficient'"),
    ],
)
def test_mistakes_in_a_loss_are_named(parameters, message):
    with pytest.raises(ValidationError, match=message):
        loss("rmu", **parameters)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"patterns": [DOWN]}, "`layers` and a pattern with {layer} go together"),
        ({"patterns": ["c_proj"], "layers": [1]}, "`layers` and a pattern with {layer} go together"),
        ({"patterns": ["c_proj"], "of": 32}, "`of` scales `layers`"),
        ({"patterns": [DOWN], "layers": []}, "at least 1 item"),
        ({"patterns": [DOWN], "layers": [-1]}, "greater than or equal to 0"),
        ({"patterns": [DOWN], "layers": [5, 32], "of": 32}, "layers: no layer 32 in a model of 32 layers"),
        ({"patterns": ["{layer}("], "layers": [1]}, "not a regular expression"),
    ],
)
def test_mistakes_in_a_scope_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        scope(**parameters)


@pytest.mark.parametrize(
    ("depth", "moving"), [(1, {0}), (2, {0}), (4, {0}), (6, {0, 1}), (12, {1, 2}), (24, {4, 5}), (32, {5, 6, 7})]
)
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_rmus_layers_scale_with_depth(family, depth, moving):
    model = tiny.build(family, depth)
    scope(patterns=[DOWN], layers=[5, 6, 7], of=32).apply(model)
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert names == {f"model.layers.{layer}.mlp.down_proj.weight" for layer in moving}


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "gemma2", "gpt2", "gpt_neox", "phi", "opt"])
def test_one_pattern_names_the_down_projection_of_many_families(family):
    model = tiny.build(family, 2, width=8)
    scope(patterns=[DOWN], layers=[1]).apply(model)
    moving = [(name, parameter.shape) for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(moving) == 1
    assert sorted(moving[0][1])[0] == 8 < sorted(moving[0][1])[1], "between the model's width and the MLP's"


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "gemma2", "gpt2", "gpt_neox", "phi", "opt"])
def test_by_structure_the_same_weights_move_as_by_that_pattern(family):
    by_name, by_structure = (tiny.build(family, 12, width=8) for _ in range(2))
    scope(patterns=[DOWN], layers=[5, 6, 7], of=32).apply(by_name)
    build("blur.unlearn.scopes", "Scope", {**BY_STRUCTURE, "layers": [5, 6, 7], "of": 32}).apply(by_structure)
    flags = [[parameter.requires_grad for parameter in model.parameters()] for model in (by_name, by_structure)]
    assert flags[0] == flags[1]
    assert sum(flags[0]) == 2


def test_a_layer_that_is_not_there_is_named_by_structure_too():
    with pytest.raises(ConfigError, match=r"scope.layers: no layer 2 in a model of 2 layers"):
        build("blur.unlearn.scopes", "Scope", {**BY_STRUCTURE, "layers": [2]}).apply(tiny_model())
    with pytest.raises(ValueError, match="layers: no layer 32 in a model of 32 layers"):
        build("blur.unlearn.scopes", "Scope", {**BY_STRUCTURE, "layers": [5, 32], "of": 32})


def test_a_layers_pattern_matches_in_that_layer_only():
    """In a multimodal model, a vision tower has layers of the same names."""
    model = tiny.build("llama", 2)
    model.vision = torch.nn.ModuleDict({"layers": copy.deepcopy(model.model.layers)})
    scope(patterns=[DOWN], layers=[1]).apply(model)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert names == ["model.layers.1.mlp.down_proj.weight"]


def test_numbers_are_whole_and_other_patterns_stay():
    model = tiny.build("llama", 12)
    scope(patterns=["layers.{layer}.*down_proj", r"model\.norm"], layers=[1]).apply(model)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert names == ["model.layers.1.mlp.down_proj.weight", "model.norm.weight"], "not 10 and 11"


def test_a_layer_pattern_without_a_match_is_shown_as_a_person_would_write_it():
    with pytest.raises(ConfigError, match=r"scope.patterns: no parameter .* matches 'layers.1.mlp.c_proj'"):
        scope(patterns=["layers.{layer}.mlp.c_proj"], layers=[1]).apply(tiny.build("llama", 2))


def test_rmu_fault_the_sixth_parameter_of_a_layer_is_not_always_the_down_projection():
    """The authors take parameter number 6 of a layer; where attention has biases that is another weight."""
    sixth = {
        family: list(tiny.build(family, 1).model.layers[0].named_parameters())[6][0] for family in ("llama", "qwen2")
    }
    assert sixth["llama"] == "mlp.down_proj.weight"
    assert sixth["qwen2"] != "mlp.down_proj.weight"


def rmu(layer, **options):
    sides = ({"name": name, "layer": layer} for name in ("rmu", "activation_mse"))
    return settings(*sides, "bilevel", **options)


CHOSEN = {"name": "modules", "patterns": [r"h\.{layer}\.mlp\.c_proj\.weight"], "layers": [0]}
CHOSEN_NAME = "transformer.h.0.mlp.c_proj.weight"
PAIR = {"forget": [0, 1], "retain": [2, 3]}


def test_only_the_chosen_modules_move():
    model = tiny_model(0)
    before = {name: p.detach().numpy().tobytes() for name, p in model.named_parameters()}
    result = train(model, streams(), rmu(1, scope=CHOSEN, steps=3), reference_model=tiny_model(0))
    changed = [name for name, p in model.named_parameters() if p.detach().numpy().tobytes() != before[name]]
    assert changed == [CHOSEN_NAME]
    assert [record["retain_norm"] > 0 for record in result.records] == [False, True, True]


def test_gradients_are_those_of_the_chosen_modules_and_no_other_is_computed():
    sources = Sources(streams(), None, tiny_model(5))
    everything = Capture(tiny_model(0), rmu(1), sources)
    whole, _ = everything.update(1, PAIR, 0.0)
    chosen = rmu(1, scope=CHOSEN)
    part = Capture(chosen.prepare(tiny_model(0)), chosen, sources)
    record, _ = part.update(1, PAIR, 0.0)
    assert part.reached == [[CHOSEN_NAME], [CHOSEN_NAME]]
    assert part.names == [CHOSEN_NAME]
    assert record["forget_loss"] == pytest.approx(whole["forget_loss"], rel=1e-12)
    assert 0 < record["forget_norm"] < 0.9 * whole["forget_norm"]
    f, r = (flat_gradient_of(side, CHOSEN_NAME) for side in ("forget", "retain"))
    assert record["cosine"] == pytest.approx((f @ r / f.norm() / r.norm()).item(), rel=1e-10)
    expected = r + (1 - (f @ r) / (f @ f)) * f
    assert (part.seen - expected).norm() <= 1e-12 * expected.norm()


def flat_gradient_of(side, name):
    model = tiny_model(0)
    texts = [streams()[side][i] for i in PAIR[side]]
    term = loss("rmu", layer=1) if side == "forget" else loss("activation_mse", layer=1)
    scalar = value(term, model, texts, None, tiny_model(5))
    return torch.autograd.grad(scalar, dict(model.named_parameters())[name])[0].flatten()


def test_weights_above_the_layer_that_is_read_get_no_gradient_and_stay():
    updater = Capture(tiny_model(0), rmu(0), Sources(streams(), None, tiny_model(5)))
    updater.update(1, PAIR, 0.0)
    for side in updater.reached:
        assert side
        assert all(name.startswith(("transformer.w", "transformer.h.0.")) for name in side)
    model, decaying = tiny_model(0), {"name": "adamw", "lr": 1e-2, "weight_decay": 0.1}
    train(model, streams(), rmu(0, optimizer=decaying), reference_model=tiny_model(5))
    assert torch.equal(model.transformer.h[1].mlp.c_proj.weight, tiny_model(0).transformer.h[1].mlp.c_proj.weight)


def test_a_layer_below_all_that_may_move_is_an_error():
    above = {**CHOSEN, "layers": [1]}
    with pytest.raises(ConfigError, match="scope: no weight that may move has an influence on rmu"):
        train(tiny_model(0), streams(), rmu(0, scope=above), reference_model=tiny_model(0))
