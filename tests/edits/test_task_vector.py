"""Task arithmetic against a closed form."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from blur.core.choice import build as choice
from blur.edits.base import AtHand, EditSettings
from blur.models import save
from blur.unlearn.asked import Asked
from tests.architectures import build
from tests.families import encoding

ENCODING = encoding()


def edit(**parameters):
    return choice("blur.edits", "Edit", {"name": "task_vector", **parameters})


def tuned(model, folder: Path, by: float):
    """Store a model whose weights differ by ``by`` times other numbers; return those numbers."""
    other, change = copy.deepcopy(model), {}
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            change[name] = torch.randn(parameter.shape, generator=generator) * by
            parameter.add_(change[name].to(parameter.dtype))
    save(other, *ENCODING, folder, "card")
    return other


def model(dtype=torch.float32):
    return build("llama", vocab=len(ENCODING[0])).to(dtype)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0])
def test_what_tuning_added_is_taken_away(alpha, tmp_path):
    start = model()
    other, moved = tuned(start, tmp_path, 1e-2), copy.deepcopy(start)
    edit(alpha=alpha).apply(moved, AtHand({"forget_tuned": tmp_path}, lambda name: []))
    for (name, one), theta, there in zip(moved.named_parameters(), start.parameters(), other.parameters(), strict=True):
        expected = theta.double() - alpha * (there.double() - theta.double())
        assert torch.allclose(one.double(), expected, atol=1e-6), name
        assert alpha or torch.equal(one, theta)
    assert alpha < 2 or any(not torch.equal(a, b) for a, b in zip(moved.parameters(), start.parameters(), strict=True))


def test_the_other_way_round_would_learn(tmp_path):
    """A sign that is turned would move towards the tuned model: the edit ends farther from it than it began."""
    start = model()
    other, moved = tuned(start, tmp_path, 1e-2), copy.deepcopy(start)
    edit(alpha=1.0).apply(moved, AtHand({"forget_tuned": tmp_path}, lambda name: []))
    for one, theta, there in zip(moved.parameters(), start.parameters(), other.parameters(), strict=True):
        assert (one - there).norm().item() == pytest.approx(2 * (theta - there).norm().item(), rel=1e-4)


def test_bfloat16_is_rounded_once(tmp_path):
    start = model(torch.bfloat16)
    other, moved = tuned(start, tmp_path, 1e-2), copy.deepcopy(start)
    edit(alpha=5.0).apply(moved, AtHand({"forget_tuned": tmp_path}, lambda name: []))
    for one, theta, there in zip(moved.parameters(), start.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, (theta.float() - 5 * (there.float() - theta.float())).bfloat16())


def test_what_it_asks_for_and_what_is_refused():
    settings = EditSettings.model_validate({"edit": "task_vector"})
    assert settings.derived == {"forget_tuned": Asked("forget_tuned")}
    assert not settings.sharded
    assert settings.modules == ["blur.edits.base", "blur.edits.task_vector", "blur.models.wrappers.none"]
    with pytest.raises(ValueError, match="did you mean 'task_vector'"):
        EditSettings.model_validate({"edit": "task_vectr"})
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        EditSettings.model_validate({"edit": {"name": "task_vector", "alpha": -1}})
