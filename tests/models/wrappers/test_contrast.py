"""Two models' logits at once: the formula, at any place, with a cache and without, stored and loaded, and taken off."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from transformers.cache_utils import DynamicCache

from blur.core.choice import build as choice
from blur.edits.base import AtHand, EditSettings
from blur.measure.generate import generate
from blur.measure.gradnorm import gradient_norms
from blur.models import load, save
from blur.models.batch import collate
from blur.models.forward import BESIDE, forward, logits_at
from blur.models.hidden import hidden_states
from tests.architectures import build
from tests.families import encoding
from tests.unlearn.support import examples, weights_hash

ENCODING = encoding()
VOCAB = len(ENCODING[0])
ALPHA = 2.0


def pair(family="llama"):
    """A model, and another of the same form whose logits differ as much."""
    model, tuned = build(family, vocab=VOCAB), build(family, vocab=VOCAB)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for one in (model, tuned):
            for parameter in one.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model, tuned


def contrasted(family="llama"):
    model, tuned = pair(family)
    alone = copy.deepcopy(model)
    choice("blur.models.wrappers", "Wrapper", {"name": "contrast", "alpha": ALPHA}).put(model, copy.deepcopy(tuned))
    return model, alone, tuned


def by_hand(alone, tuned, ids):
    """z - alpha relu(z_tuned - z), [T, V]."""
    with torch.no_grad():
        z, more = (one(torch.tensor([ids])).logits[0] for one in (alone, tuned))
    return z - ALPHA * (more - z).relu()


TEXTS = [example for example in examples(3, "f") if len(example.input_ids) > 2]


def test_every_place_has_both_models_logits():
    model, alone, tuned = contrasted()
    wanted = torch.cat([by_hand(alone, tuned, text.input_ids) for text in TEXTS])
    batch = collate(TEXTS, "cpu")
    with torch.no_grad():
        found = forward(model, batch, "attended")
        last = logits_at(model, torch.tensor([0, 2]), input_ids=batch.input_ids, attention_mask=batch.attention_mask)
    assert torch.allclose(found.logits, wanted, atol=1e-4)
    assert torch.allclose(last, wanted[[0, 2]], atol=1e-4), "of the places that are asked for"
    with torch.no_grad():
        assert (found.logits - forward(alone, batch, "attended").logits).abs().max() > 0.1
        below = [hidden_states(one, batch, "attended", 0).states for one in (model, alone)]
    assert torch.equal(*below), "states are the model's own"


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_with_a_cache_both_models_see_all_that_was_before(family):
    model, alone, tuned = contrasted(family)
    ids, cache = [5, 9, 7, 3, 8, 6], DynamicCache(config=model.config)
    mask = torch.ones(1, len(ids), dtype=torch.int64)
    with torch.no_grad():
        for start, end in ((0, 3), (3, 5), (5, 6)):
            given = {"input_ids": torch.tensor([ids[start:end]]), "attention_mask": mask[:, :end]}
            found = model(**given, past_key_values=cache, use_cache=True).logits[0]
            assert torch.allclose(found, by_hand(alone, tuned, ids[:end])[start:], atol=1e-5)
    assert len(cache.layers) == 2 * len(DynamicCache(config=alone.config).layers)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_with_a_cache_answers_are_those_without_in_a_batch_with_a_shared_beginning_too(family):
    model, alone, tuned = contrasted(family)
    start = [number % (VOCAB - 3) + 2 for number in range(34)]
    for prompts in ([[5, 6, 7], [9, 8]], [[*start, 3], [*start, 4, 5, 6], [*start, 9]]):
        wanted = []
        for prompt in prompts:
            ids = list(prompt)
            for _ in range(5):
                ids.append(int(by_hand(alone, tuned, ids)[-1].argmax()))
            wanted.append(ids[len(prompt) :])
        stop = wanted[0][1]  # a row that ends leaves the batch, in both models' caches
        found = generate(model, prompts, 5, 10_000, stop)
        cut = [tokens[: tokens.index(stop)] if stop in tokens else tokens for tokens in wanted]
        assert [one.tokens for one in found] == cut
    assert wanted != [one.tokens for one in generate(alone, prompts, 5, 10_000, stop)]


def test_the_gradient_is_of_the_model_alone_through_both():
    model, alone, tuned = contrasted()
    text = TEXTS[0]
    with torch.no_grad():
        more = tuned(torch.tensor([text.input_ids])).logits[0]
    z = alone(torch.tensor([text.input_ids])).logits[0]
    scored = torch.arange(max(text.num_prompt, 1), len(text.input_ids))
    logp = (z - ALPHA * (more - z).relu())[scored - 1].log_softmax(-1)
    loss = -logp[range(len(scored)), [text.input_ids[place] for place in scored]].mean()
    grads = torch.autograd.grad(loss, list(alone.parameters()))
    wanted = sum(grad.double().square().sum() for grad in grads).sqrt().item()
    assert gradient_norms(model, [text], 4096)[0] == pytest.approx(wanted, rel=1e-4)


def test_the_edit_stores_both_and_taken_off_the_model_is_the_one_from_before(tmp_path: Path):
    model, tuned = pair()
    save(tuned, *ENCODING, tmp_path / "tuned", "card")
    edit = EditSettings.model_validate({"edit": {"name": "contrast", "alpha": ALPHA}})
    assert [asked.kind for asked in edit.derived.values()] == ["forget_tuned"]
    before = weights_hash(model)
    edit.edit.apply(model, AtHand({"forget_tuned": tmp_path / "tuned"}, lambda name: []))
    ids = TEXTS[0].input_ids
    with torch.no_grad():
        both = model(torch.tensor([ids])).logits
    assert weights_hash(model) == before
    folder = tmp_path / "model"
    plain = edit.wrapper.finish(model, folder / "wrapper")
    assert not hasattr(plain, BESIDE)
    save(plain, *ENCODING, folder, "card")
    manifest = {"wrapper": edit.wrapper.model_dump(), "files": {}}
    with torch.no_grad():
        loaded = (load(folder, manifest=manifest, bare=bare).model for bare in (False, True))
        again, bare = (one(torch.tensor([ids])).logits for one in loaded)
        alone = plain(torch.tensor([ids])).logits
    assert torch.equal(again, both)
    assert torch.equal(bare, alone)
    assert not torch.equal(both, alone)
