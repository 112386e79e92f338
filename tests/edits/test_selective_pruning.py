"""Selective pruning against importances and ranks written out in float64, text by text, on models of several forms."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from blur.core.choice import build as choice
from blur.core.errors import ConfigError
from blur.edits.base import AtHand, EditSettings
from blur.edits.selective_pruning import Importance, highest, scores
from blur.models.maps import attention_outputs
from blur.models.neurons import neurons
from tests.architectures import LAYERS, build
from tests.unlearn.support import examples, weights_hash

TEXTS = {"forget": examples(9, "f", 1), "retain": examples(14, "r", 2)}
AT_HAND = AtHand({}, TEXTS.__getitem__)
# where a family has its neurons: what is read by these maps
PLACES = {
    "llama": ("model.layers.{}.mlp.down_proj", "model.layers.{}.self_attn.o_proj"),
    "gpt2": ("transformer.h.{}.mlp.c_proj", "transformer.h.{}.attn.c_proj"),
    "opt": ("model.decoder.layers.{}.fc2", "model.decoder.layers.{}.self_attn.out_proj"),
    "gpt_neox": ("gpt_neox.layers.{}.mlp.dense_4h_to_h", "gpt_neox.layers.{}.attention.dense"),
    "phi3": ("model.layers.{}.mlp.down_proj", "model.layers.{}.self_attn.o_proj"),
    "gemma2": ("model.layers.{}.mlp.down_proj", "model.layers.{}.self_attn.o_proj"),
}
DEFINED = {
    "abs": lambda z: np.abs(z).mean(0),
    "rms": lambda z: np.sqrt((z**2).mean(0)),
    "freq": lambda z: (z > 0).mean(0),
    "std": lambda z: z.std(0),
}


def edit(**parameters):
    return choice("blur.edits", "Edit", {"name": "selective_pruning", **parameters})


def values(model, paths, texts):
    """What each map reads at all tokens of the texts, one text at a time without padding: [tokens, number] of each."""
    seen = {path: [] for path in paths}
    handles = [
        model.get_submodule(path).register_forward_pre_hook(
            lambda _, inputs, path=path: seen[path].append(inputs[0].flatten(0, -2))
        )
        for path in paths
    ]
    with torch.no_grad():
        for text in texts:
            model(input_ids=torch.tensor([text.input_ids]))
    for handle in handles:
        handle.remove()
    return [torch.cat(seen[path]).double().numpy() for path in paths]


def expected(model, paths, score, fraction, eps=1e-3):
    """The neurons of the highest ratios, as (layer, number), by plain loops."""
    of = {name: [DEFINED[score](z) for z in values(model, paths, texts)] for name, texts in TEXTS.items()}
    rows = [
        (-f / (r + eps * retain.mean()), layer, place)
        for layer, (forget, retain) in enumerate(zip(of["forget"], of["retain"], strict=True))
        for place, (f, r) in enumerate(zip(forget, retain, strict=True))
        if f > 0
    ]
    number = round(fraction * sum(len(one) for one in of["forget"]))
    return {(layer, place) for _, layer, place in sorted(rows)[:number]}


def pruned(model, paths):
    """The neurons whose way out is all zeros, as (layer, number)."""
    found = set()
    for layer, path in enumerate(paths):
        module = model.get_submodule(path)
        weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
        found |= {(layer, place) for place, row in enumerate(weight) if not row.any()}
    return found


@pytest.mark.parametrize("score", DEFINED)
@pytest.mark.parametrize("kind", ["feed_forward", "attention"])
@pytest.mark.parametrize("family", ["llama", "opt"])
def test_the_neurons_that_go_are_those_of_the_highest_ratios(family, kind, score):
    model = build(family)
    paths = [PLACES[family][kind == "attention"].format(layer) for layer in range(LAYERS)]
    wanted = expected(model, paths, score, 0.1)
    edit(score=score, neurons=[kind], fraction=0.1).apply(model, AT_HAND)
    assert pruned(model, paths) == wanted
    assert len(wanted) == round(0.1 * LAYERS * {"feed_forward": 48, "attention": 32}[kind])


@pytest.mark.parametrize("family", PLACES)
def test_a_pruned_neuron_has_no_effect_and_nothing_else_changes(family):
    """The pruned model is the whole one with the neurons' values set to zero."""
    model = build(family)
    whole, ids = copy.deepcopy(model), torch.tensor([TEXTS["forget"][0].input_ids])
    kinds = dict(zip(("feed_forward", "attention"), PLACES[family], strict=True))
    edit(neurons=list(kinds), fraction=0.25).apply(model, AT_HAND)
    for kind, place in kinds.items():
        for layer in range(LAYERS):
            path = place.format(layer)
            gone = [n for number, n in pruned(model, [place.format(i) for i in range(LAYERS)]) if number == layer]

            def silence(_, inputs, gone=gone):
                return (inputs[0].index_fill(-1, torch.tensor(gone, dtype=torch.int64), 0.0),)

            whole.get_submodule(path).register_forward_pre_hook(silence)
            (seen,) = values(model, [path], TEXTS["forget"][:1])
            assert gone
            assert kind == "attention" or not seen[:, gone].any(), "its value is exactly zero"
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, whole(input_ids=ids).logits, atol=1e-5)


def test_of_grouped_query_attention_the_shared_values_stay():
    """Two query heads read one value head: with one of them pruned, the other's output is what it was."""
    model = build("llama")
    before = copy.deepcopy(model)
    (group, *_) = neurons(model, "attention")
    assert group.number == 32
    group.prune(torch.arange(32) < 8)
    attention, old = model.model.layers[0].self_attn, before.model.layers[0].self_attn
    assert torch.equal(attention.v_proj.weight, old.v_proj.weight)
    assert not attention.o_proj.weight[:, :8].any()
    assert torch.equal(attention.o_proj.weight[:, 8:], old.o_proj.weight[:, 8:])
    (seen,), (was,) = (values(m, ["model.layers.0.self_attn.o_proj"], TEXTS["forget"][:1]) for m in (model, before))
    assert np.array_equal(seen[:, 8:], was[:, 8:])


def test_fraction_zero_changes_nothing():
    model = build("llama")
    before = weights_hash(model)
    edit(fraction=0, neurons=["feed_forward", "attention"]).apply(model, AT_HAND)
    assert weights_hash(model) == before


def test_each_step_takes_others_and_reads_what_is_left():
    paths = [PLACES["llama"][0].format(layer) for layer in range(LAYERS)]
    model, chosen = build("llama"), edit(fraction=0.1, steps=3)
    assert chosen.times == 3
    gone = set()
    for _ in range(chosen.times):
        wanted = expected(model, paths, "abs", 0.1)
        chosen.apply(model, AT_HAND)
        assert pruned(model, paths) == gone | wanted
        assert not gone & wanted
        gone |= wanted
    once = build("llama")
    edit(fraction=0.3).apply(once, AT_HAND)
    assert pruned(once, paths) != gone, "values are taken anew"


def test_pruned_attention_is_not_chosen_again():
    """Its values are still there, as the value heads are."""
    paths = [PLACES["llama"][1].format(layer) for layer in range(LAYERS)]
    model = build("llama")
    for count in (6, 13, 19):
        edit(fraction=0.1, neurons=["attention"]).apply(model, AT_HAND)
        assert len(pruned(model, paths)) in (count, count - 1)


def test_std_is_no_variance_and_rms_no_std():
    """The authors' ``std`` holds the sample variance, and their ``rms`` squares it once more."""
    z = torch.tensor([[1.0, 0.0], [3.0, 0.0], [5.0, 12.0]]) + 1e4

    def value(score, shift=0.0):
        one = Importance(score)
        one.add(z[:1] - shift)
        one.add(z[1:] - shift)
        return one.value.tolist()

    assert value("std") == pytest.approx([(8 / 3) ** 0.5, 32**0.5])
    assert value("rms", 1e4) == pytest.approx([(35 / 3) ** 0.5, 48**0.5])
    assert value("freq", 1e4) == pytest.approx([1, 1 / 3])
    assert value("abs", 1e4 + 2) == pytest.approx([5 / 3, 14 / 3])


def test_dead_neurons_are_never_chosen_and_those_alive_on_forget_only_come_first():
    found = scores(torch.tensor([0.0, 2.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 5.0, 1.0]), 1e-3)
    assert found.tolist() == pytest.approx([0, 2 / 1.5e-3, 1 / 5.0015, 0])
    assert scores(torch.tensor([1.0, 0.0]), torch.zeros(2), 1e-3).tolist() == [float("inf"), 0]
    chosen = highest([found, torch.tensor([1.0, 1.0])], 1.0)
    assert [one.tolist() for one in chosen] == [[False, True, True, False], [True, True]]
    assert [one.tolist() for one in highest([torch.ones(2), torch.ones(2)], 0.5)] == [[True, True], [False, False]]


def test_a_sample_is_whole_texts_drawn_by_the_seed():
    whole = sum(len(text.input_ids) for text in TEXTS["retain"])
    some = AT_HAND.some("retain", 20)
    assert 20 <= sum(len(text.input_ids) for text in some) < 20 + 12
    assert some == AT_HAND.some("retain", 20)
    assert some != AtHand({}, TEXTS.__getitem__, seed=1).some("retain", 20)
    assert sorted(one.id for one in AT_HAND.some("retain", 2 * whole)) == sorted(one.id for one in TEXTS["retain"])
    chosen = edit(tokens=50, steps=4)
    assert (chosen.passed("forget", 1000), chosen.passed("retain", 30)) == (200, 120)


@pytest.mark.parametrize(
    ("family", "kind"), [("mamba", "attention"), ("jamba", "attention"), ("mixtral", "feed_forward")]
)
def test_a_model_without_such_neurons_is_refused(family, kind):
    with pytest.raises(ConfigError, match="layer 0 has"):
        edit(neurons=[kind]).apply(build(family), AT_HAND)
    assert attention_outputs(build("mixtral"), 0)


def test_the_settings_say_what_is_read_and_what_is_refused():
    settings = EditSettings.model_validate({"edit": "selective_pruning"})
    assert settings.streams == ["forget", "retain"]
    assert settings.derived == {}
    with pytest.raises(ValueError, match="fraction"):
        edit(fraction=1.5)
    with pytest.raises(ValueError, match="neurons"):
        edit(neurons=[])
