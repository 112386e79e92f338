"""Dropout: off wherever a loss compares the model with itself as it was; a setting of plain fine-tuning."""

from __future__ import annotations

import math

import pytest
import torch

from blur.unlearn.loop import train
from blur.unlearn.mode import learning
from blur.unlearn.references import reference_sums
from tests import architectures
from tests.tiny import build as tiny_family
from tests.unlearn.support import examples, settings, streams, tiny_model, weights_hash

STREAMS = streams()
RATE = 0.4
LAST = {"batch_size": 4, "steps": 1}
# Where each family draws: embeddings, attention, residuals; within layers by a module's flag or by the function's own.
DROPPING = {
    "gpt2": dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), RATE),
    "opt": {"dropout": RATE, "attention_dropout": RATE},
    "gpt_neox": {"hidden_dropout": RATE, "attention_dropout": RATE},
    "llama": {"attention_dropout": RATE},
}


def first_step(family, forget, retain, **options):
    """The record of the first step of a model that is its own reference."""
    model, original = (tiny_family(family, **DROPPING[family]) for _ in range(2))
    sums = reference_sums(original, STREAMS["forget"])
    config = settings(forget, retain, **{**LAST, **options})
    return train(model, STREAMS, config, reference_sums=sums, reference_model=original).records[0]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", DROPPING)
def test_at_the_starting_weights_losses_have_their_closed_forms(family, checkpointing):
    options = {"gradient_checkpointing": checkpointing}
    found = first_step(family, {"name": "npo", "beta": 0.1}, "kl", **options)
    assert found["forget_loss"] == pytest.approx(20 * math.log(2), rel=1e-5)
    assert found["retain_loss"] == pytest.approx(0, abs=1e-6)
    layered = {"layer": 1}
    found = first_step(family, {"name": "rmu", **layered}, {"name": "activation_mse", **layered}, **options)
    assert found["retain_loss"] == pytest.approx(0, abs=1e-6)


def test_accumulation_changes_no_loss():
    """With dropout each micro-batch would draw its own."""
    found = [first_step("gpt2", "npo", "nll", accumulation=number) for number in (1, 2)]
    for side in ("forget_loss", "retain_loss", "xi"):
        assert found[0][side] == pytest.approx(found[1][side], rel=1e-4)


def test_a_routers_noise_is_off():
    """``router_jitter_noise`` multiplies what a Mixtral's router sees, in training mode."""
    original, model = (architectures.build("mixtral", router_jitter_noise=0.5) for _ in range(2))
    record = train(model, STREAMS, settings("ga", "kl", "bilevel", **LAST), reference_model=original).records[0]
    assert record["retain_loss"] == pytest.approx(0, abs=1e-6)


def fine_tuned(dropout, rate=RATE, **options):
    config = settings(None, "nll", "weighted", batch_size=4, steps=2, dropout=dropout, **options)
    return weights_hash(train(tiny_model(0, torch.float32, rate), STREAMS, config).model)


def test_plain_fine_tuning_drops_where_it_is_asked_to():
    without = fine_tuned(False)
    assert without == fine_tuned(False, rate=0.0)
    assert fine_tuned(True) not in (without, fine_tuned(True, accumulation=2))
    assert fine_tuned(True) == fine_tuned(True)


def test_checkpointing_repeats_the_same_drawings():
    assert fine_tuned(True) == fine_tuned(True, gradient_checkpointing=True)


def test_an_adapters_dropout_goes_by_the_same_setting():
    lora = {"name": "lora", "rank": 2, "dropout": RATE}
    drawn = fine_tuned(True, rate=0.0, wrapper=lora)
    assert drawn != fine_tuned(False, rate=0.0, wrapper={**lora, "dropout": 0.0})
    with pytest.raises(ValueError, match=r"`wrapper.dropout` does nothing without `dropout: true`"):
        settings(None, "nll", "weighted", wrapper=lora)


@pytest.mark.parametrize(("forget", "retain"), [("npo", "nll"), ("ga", None), (None, "kl")])
def test_dropout_is_refused_beside_a_loss_that_compares(forget, retain):
    combine = "bilevel" if forget and retain else "weighted"
    with pytest.raises(ValueError, match="`dropout: true` is for plain fine-tuning"):
        settings(forget, retain, combine, dropout=True)


@pytest.mark.parametrize("training", [False, True])
def test_layers_are_run_again_in_either_mode_and_left_as_they_were(training):
    model, calls = tiny_model(0), []
    layers = model.transformer.h
    layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    ids = torch.tensor([examples(1, "t")[0].input_ids])
    with learning(model, training, True):
        assert model.training == training
        model(input_ids=ids, use_cache=False).logits.sum().backward()
    assert len(calls) == 2
    assert all("forward" not in vars(layer) for layer in layers)
