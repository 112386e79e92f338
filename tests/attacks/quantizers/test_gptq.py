"""GPTQ's solution for one weight against the plain recursion of optimal brain quantization, in float64."""

from __future__ import annotations

import pytest
import torch

from blur.attacks.quantizers.gptq import _Solver
from tests.attacks.models import quantizer

REASON = quantizer("gptq").unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def problem(rows=5, columns=12):
    generator = torch.Generator().manual_seed(1)
    mix = torch.randn(columns, columns, generator=generator)
    texts = [torch.randn(size, columns, generator=generator) @ mix for size in (9, 4, 30)]
    return torch.randn(rows, columns, generator=generator), texts


def solved(weight, texts, **settings):
    solver = _Solver(weight.clone(), quantizer("gptq", **settings))
    for text in texts:
        solver.observe(text)
    return solver.solve()


def by_hand(weight, texts, bits, size, damping, found):
    """Round column by column; after each, the error moves to the others, and the column leaves the problem.

    The largest weight of a group lies half way between two codes, so float32 decides: there, what was found is taken.
    """
    weight, inputs = weight.double().clone(), torch.cat(texts).double()
    hessian = 2 * inputs.t() @ inputs / len(texts)
    hessian += damping * hessian.diagonal().mean() * torch.eye(len(hessian), dtype=torch.float64)
    inverse, half, values = torch.linalg.inv(hessian), 2 ** (bits - 1), torch.zeros_like(weight)
    for column in range(weight.shape[1]):
        if column % size == 0:
            step = weight[:, column : column + size].abs().amax(1) / (half - 0.5)
        exact = weight[:, column] / step
        tie = (exact.abs() - (half - 0.5)).abs() < 1e-4
        assert ((found[:, column] - weight[:, column]).abs()[tie] < 0.501 * step[tie]).all()
        values[:, column] = torch.where(tie, found[:, column], exact.round().clamp(-half, half - 1) * step)
        error = (weight[:, column] - values[:, column]) / inverse[column, column]
        weight[:, column:] -= error[:, None] * inverse[column, column:]
        inverse = inverse - inverse[:, column, None] * inverse[column] / inverse[column, column]
    return values


@pytest.mark.parametrize("size", [4, 5, 12, 128])
@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("damping", [0.01, 0.2])
def test_the_recursion(size, bits, damping):
    weight, texts = problem()
    found = solved(weight, texts, group_size=size, bits=bits, damping=damping)
    assert torch.allclose(found.double(), by_hand(weight, texts, bits, size, damping, found.double()), atol=1e-4)


def test_outputs_are_nearer_than_with_rounding():
    weight, texts = problem(rows=40)
    inputs = torch.cat(texts)
    nearest = quantizer("rtn", granularity="channel").encode(weight)[1]
    errors = [((made - weight) @ inputs.t()).pow(2).sum() for made in (solved(weight, texts), nearest)]
    assert errors[0] < 0.5 * errors[1]


def test_a_group_without_negative_weights_has_codes_up_to_its_largest():
    """The library, like the authors' code, gives 7 / 15 of the largest weight."""
    weight, texts = problem()
    found = solved(weight.abs(), texts, group_size=1)
    assert torch.allclose(found[:, 0], weight.abs()[:, 0] * 7 / 7.5, rtol=1e-5)
