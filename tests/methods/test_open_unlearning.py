"""UNDIAL, WGA, SatImp, CE-U: the gradient on each token's logits in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from blur.models.forward import Outputs
from blur.unlearn.losses.base import Reference
from tests.unlearn.support import loss

ROWS, SIZE, VOCAB = torch.tensor([0, 0, 0, 1, 1]), 2, 7
TARGETS = torch.tensor([3, 0, 6, 2, 2])
FIRST = torch.tensor([True, False, False, True, False])


def logits(scale: float = 2.0) -> Tensor:
    drawn = torch.randn(len(ROWS), VOCAB, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    return (scale * drawn).requires_grad_()


def gradient(name: str, z: Tensor, reference: Reference | None = None, **parameters: float) -> Tensor:
    numerator = loss(name, **parameters).numerator(Outputs(z, ROWS, TARGETS, SIZE), reference or Reference())
    assert numerator.shape == (SIZE,)
    return torch.autograd.grad(numerator.sum(), z)[0]


def known(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities, those of the true tokens [N, 1], and the true tokens as rows of an identity."""
    p, truth = z.detach().softmax(-1), torch.eye(VOCAB, dtype=torch.float64)[TARGETS]
    return p, (p * truth).sum(-1, keepdim=True), truth


@pytest.mark.parametrize(
    ("name", "parameters", "weight"),
    [
        ("wga", {"beta": 1.0}, lambda p: p),
        ("wga", {"beta": 0.5}, lambda p: p.sqrt()),
        ("satimp", {"beta1": 5.0, "beta2": 1.0}, lambda p: p**5 * (1 - p)),
        ("satimp", {"beta1": 1.0, "beta2": 2.0}, lambda p: p * (1 - p) ** 2),
    ],
)
def test_a_weighted_ascent_moves_a_token_by_its_weight_which_is_held_fixed(name, parameters, weight) -> None:
    z = logits()
    p, own, truth = known(z)
    found = gradient(name, z, **parameters)
    torch.testing.assert_close(found, -weight(own) * (p - truth))
    nlls = Outputs(z, ROWS, TARGETS, SIZE).nlls
    followed = -(weight((-nlls).exp()) * nlls).sum()  # the fault: the weight is differentiated as well
    assert (torch.autograd.grad(followed, z)[0] - found).norm() > 0.1 * found.norm()


@pytest.mark.parametrize(("name", "parameters"), [("wga", {"beta": 0}), ("satimp", {"beta1": 0, "beta2": 0})])
def test_without_weights_it_is_gradient_ascent(name, parameters) -> None:
    torch.testing.assert_close(gradient(name, logits(), **parameters), gradient("ga", logits()))


@pytest.mark.parametrize("name", ["wga", "satimp", "ce_u"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_token_that_is_certain_or_impossible_has_a_finite_gradient(name, sign) -> None:
    z = (sign * 200 * torch.eye(VOCAB, dtype=torch.float64)[TARGETS]).requires_grad_()
    assert gradient(name, z).isfinite().all()
    if sign < 0:
        assert gradient(name, z).norm() < 1e-12, "what is forgotten is left alone"


def test_ce_u_takes_from_the_true_token_what_it_gives_to_the_others_in_proportion() -> None:
    z = logits()
    p, own, truth = known(z)
    wanted = truth * own - (1 - truth) * p * own / (1 - own)
    torch.testing.assert_close(gradient("ce_u", z, skip=0), wanted)
    torch.testing.assert_close(gradient("ce_u", z, skip=1), wanted * ~FIRST[:, None])
    torch.testing.assert_close(gradient("ce_u", z, skip=2)[:2], torch.zeros(2, VOCAB, dtype=torch.float64))


def test_ce_u_of_a_text_of_one_token_is_nothing_and_no_division_by_zero() -> None:
    z = torch.zeros(1, VOCAB, dtype=torch.float64, requires_grad=True)
    numerator = loss("ce_u").numerator(Outputs(z, torch.tensor([0]), torch.tensor([2]), 1), Reference())
    assert numerator.tolist() == [0.0]
    assert not torch.autograd.grad(numerator.sum(), z)[0].any()


def test_undial_teaches_the_original_with_each_true_token_held_down() -> None:
    z, original = logits(), logits(1.0).detach()
    p, own, truth = known(original)
    held = own * math.exp(-3) / (1 - own + own * math.exp(-3))
    taught = torch.where(truth.bool(), held, p * (1 - held) / (1 - own))
    found = gradient("undial", z, Reference(known_logits=original), beta=3.0)
    torch.testing.assert_close(found, z.detach().softmax(-1) - taught)
    torch.testing.assert_close(original, logits(1.0).detach(), msg="the reference is only read")


def test_undial_without_beta_changes_nothing_at_the_original() -> None:
    z = logits()
    assert gradient("undial", z, Reference(known_logits=z.detach()), beta=0).norm() < 1e-14
    assert gradient("undial", z, Reference(known_logits=z.detach()), beta=10).norm() > 0.1
