"""Losses and combinations as plain functions give what the training loop's do."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

import blur
from blur.core.choice import available, find
from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.hidden import hidden_states
from blur.unlearn.batches import texts_of
from blur.unlearn.losses.base import LABELS
from blur.unlearn.references import reference_sums
from tests.unlearn import support

TEXTS = support.examples(5, "f", 1)
MODEL, ORIGINAL = support.tiny_model(1), support.tiny_model(0)


def given(name: str, texts: list[Example], model: Any = MODEL) -> tuple[Any, Any, dict[str, Any]]:
    """What a caller hands to a loss, by Hugging Face's own forward pass."""
    kind = find("blur.unlearn.losses", "Loss", name)
    texts = texts_of(texts, kind.texts)
    batch = collate(texts)
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}

    def outputs(one: Any) -> Any:
        if "layer" in kind.model_fields:
            states = hidden_states(one, batch, "attended", 0)
            whole = torch.zeros(*batch.input_ids.shape, states.states.shape[-1], dtype=torch.float64)
            whole[batch.attention_mask.bool()] = states.states
            return whole
        return one(**inputs).logits

    with torch.no_grad():
        original = outputs(ORIGINAL)
        sums = blur.losses.sequence_nll(ORIGINAL(**inputs).logits, batch.labels)
    told: dict[str, Any] = {"attention_mask": batch.attention_mask, "answers": batch.answers}
    if "reference_sums" in kind.needs:
        told["reference_sums"] = sums
    if kind.needs & {"reference_logits", "reference_hidden"}:
        told["reference_outputs"] = original
    if kind.needs & LABELS:
        told["other_labels"] = torch.where(batch.labels == -100, batch.labels, (7 * batch.labels + 3) % support.VOCAB)
    return outputs(model), batch.labels, told


@pytest.mark.parametrize("name", available("blur.unlearn.losses"))
def test_a_loss_is_the_loop_s(name: str) -> None:
    texts = support.paired(TEXTS) if find("blur.unlearn.losses", "Loss", name).texts != "answers" else TEXTS
    outputs, labels, told = given(name, texts)
    sums = reference_sums(ORIGINAL, texts)
    expected = support.value(support.loss(name), MODEL, texts, sums, ORIGINAL)
    assert getattr(blur.losses, name)(outputs, labels, **told).item() == pytest.approx(expected.item(), rel=1e-9)


def test_npo_by_hand() -> None:
    """Zhang et al., eq. 3, of torch's own cross-entropy."""
    outputs, labels, told = given("npo", TEXTS)
    nll = [cross_entropy(row[:-1], label[1:], reduction="sum") for row, label in zip(outputs, labels, strict=True)]
    shares = [
        2 / 0.3 * math.log1p(math.exp(-0.3 * (own.item() - old.item())))
        for own, old in zip(nll, told["reference_sums"], strict=True)
    ]
    assert blur.losses.npo(outputs, labels, beta=0.3, **told).item() == pytest.approx(sum(shares) / 5, rel=1e-9)


@pytest.mark.parametrize(("name", "total"), [("npo", 5), ("nll", sum(len(text.scored) for text in TEXTS))])
def test_parts_of_a_batch_add_up(name: str, total: int) -> None:
    function = getattr(blur.losses, name)
    outputs, labels, told = given(name, TEXTS)
    parts = [given(name, part) for part in (TEXTS[:2], TEXTS[2:])]
    found = sum(function(o, one, total=total, **more).item() for o, one, more in parts)
    assert found == pytest.approx(function(outputs, labels, **told).item(), rel=1e-9)


def test_what_is_wrong_is_told() -> None:
    outputs, labels, _ = given("npo", TEXTS)
    with pytest.raises(ValueError, match="did you mean 'beta'"):
        blur.losses.npo(outputs, labels, beto=0.1)
    with pytest.raises(blur.core.errors.BlurError, match="reference_sums"):
        blur.losses.npo(outputs, labels)
    with pytest.raises(AttributeError, match="no loss 'npoo'"):
        _ = blur.losses.npoo
    with pytest.raises(AttributeError, match=r"use blur\.TwoGradients"):
        _ = blur.combine.pdu
    assert "beta: 0.1; inverse temperature" in (blur.losses.npo.__doc__ or "")
    assert "gamma: 1.0" in (blur.combine.bilevel.__doc__ or "")
    assert {"npo", "simnpo", "rmu"} <= set(dir(blur.losses))


def test_bilevel_keeps_its_promise_and_its_arguments() -> None:
    torch.manual_seed(3)
    g_f: list[Any] = [torch.randn(4, 3), torch.randn(5), None]
    g_r: list[Any] = [torch.randn(4, 3), None, torch.randn(2)]
    before = [[None if one is None else one.clone() for one in side] for side in (g_f, g_r)]
    update, told = blur.combine.bilevel(g_f, g_r, gamma=2.0)
    ff = sum((one.double() ** 2).sum().item() for one in g_f[:2])
    fu = sum((one.double() * u.double()).sum().item() for one, u in zip(g_f[:2], update[:2], strict=True))
    assert fu == pytest.approx(2.0 * ff, rel=1e-6)
    assert told.promise == pytest.approx(2.0 * ff, rel=1e-6)
    for side, kept in zip((g_f, g_r), before, strict=True):
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(side, kept, strict=True))
    assert [name for name in dir(blur.combine) if callable(getattr(blur.combine, name))] == dir(blur.combine)


def test_importing_blur_is_cheap() -> None:
    code = "import blur, sys; blur.losses.npo; blur.combine.bilevel; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
