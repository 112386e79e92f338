"""AWQ: never worse than plain rounding on what it saw, and far better where a few channels are large."""

from __future__ import annotations

import pytest
import torch

from blur.attacks.quantizers.awq import _Solver
from tests.attacks.models import quantizer

REASON = quantizer("awq").unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def asymmetric(weight, size):
    """Plain rounding to 16 levels of each group, zero among them."""
    parts = []
    for part in weight.split(size, dim=1):
        low, high = part.amin(1, keepdim=True).clamp(max=0), part.amax(1, keepdim=True).clamp(min=0)
        step = (high - low) / 15
        zero = -8 - (low / step).round()
        parts.append((((part / step).round() + zero).clamp(-8, 7) - zero) * step)
    return torch.cat(parts, dim=1)


def by_hand(weight, inputs, size):
    """The search over exponents, on the layer's output."""
    mean, best = inputs.abs().mean(0), None
    for number in range(20):
        scale = mean.pow(number / 20)
        scale = scale / (scale.max() * scale.min()).sqrt()
        made = asymmetric(weight * scale, size) / scale
        error = ((made - weight) @ inputs.t()).pow(2).mean().item()
        best = (error, made) if best is None or error < best[0] else best
    return best[1]


def solved(weight, texts, size):
    solver = _Solver(weight.clone(), size)
    for text in texts:
        solver.observe(text)
    return solver.solve()


@pytest.mark.parametrize("size", [5, 16, 32])  # 5: the last group of 32 has 2
def test_the_search(size):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(24, 32, generator=generator)
    texts = [torch.randn(length, 32, generator=generator) for length in (50, 7)]
    for text in texts:
        text[:, :2] *= 30
    inputs = torch.cat(texts)
    found = solved(weight, texts, size)
    assert torch.allclose(found, by_hand(weight, inputs, size), atol=1e-4)
    errors = [((made - weight) @ inputs.t()).pow(2).mean() for made in (found, asymmetric(weight, size))]
    assert errors[0] < 0.5 * errors[1]
