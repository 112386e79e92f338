"""What is drawn is distributed as the softmax at a temperature, and each prompt has draws of its own."""

from __future__ import annotations

import pytest
import torch

from blur.measure.sampling import Draws, Sampling

LOGITS = torch.tensor([[1.0, 0.0, -1.0, 2.0, float("-inf")]])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_shares_are_those_of_the_softmax(temperature):
    draws = Draws(Sampling(temperature, 0), [[1, 2]])
    found = torch.bincount(torch.cat([draws(None, LOGITS).argmax(-1) for _ in range(8000)]), minlength=5) / 8000
    expected = (LOGITS[0] / temperature).softmax(-1)
    deviation = (expected * (1 - expected) / 8000).sqrt()
    assert ((found - expected).abs() <= 4 * deviation).all()
    assert found[4] == 0


def test_draws_are_by_seed_and_prompt():
    def noise(seed, prompt):
        draws = Draws(Sampling(1.0, seed), [prompt])
        return torch.stack([draws(None, LOGITS), draws(None, LOGITS)])

    assert torch.equal(noise(0, [1, 2]), noise(0, [1, 2]))
    others = [noise(1, [1, 2]), noise(0, [2, 1]), noise(0, [12])]
    assert not any(torch.equal(noise(0, [1, 2])[..., :4], other[..., :4]) for other in others)
    first, second = noise(0, [1, 2])[..., :4]
    assert not torch.equal(first, second)


def test_a_row_draws_as_it_would_alone():
    both = Draws(Sampling(1.0, 0), [[1], [2]])(None, LOGITS.repeat(2, 1))
    for row, prompt in enumerate(([1], [2])):
        assert torch.equal(both[row : row + 1], Draws(Sampling(1.0, 0), [prompt])(None, LOGITS))
