"""int8 and int4 against their definition: symmetric, the range is -(2^(N-1)) - 1/2 .. 2^(N-1) - 1/2 steps."""

from __future__ import annotations

import pytest
import torch

from tests.attacks.models import quantizer

REASON = quantizer("torchao").unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def check(groups, bits, codes, values):
    """The nearest code, but for the largest weight of a group: it lies half way between two."""
    half = 2 ** (bits - 1)
    step = groups.abs().amax(1, keepdim=True) / (half - 0.5)
    expected = (groups / step).round().clamp(-half, half - 1)
    largest = groups.abs() == groups.abs().amax(1, keepdim=True)
    assert torch.equal(codes[~largest].float(), expected[~largest])
    assert (codes - expected)[largest].abs().max() <= 1
    assert torch.allclose(values, codes * step, atol=1e-6)


def matrix(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_int8_has_a_scale_for_each_output_channel():
    weight = matrix(20, 30)
    check(weight, 8, *quantizer("torchao", type="int8").encode(weight))


@pytest.mark.parametrize("size", [4, 10, 20, 128])  # 30 = 3 * 10, = 7 * 4 + 2, = 20 + 10
def test_int4_has_a_scale_for_each_group_and_a_shorter_last_one(size):
    weight = matrix(20, 30)
    codes, values = quantizer("torchao", group_size=size).encode(weight)
    assert codes.shape == values.shape == weight.shape
    for start in range(0, 30, size):
        place = slice(start, start + size)
        check(weight[:, place], 4, codes[:, place], values[:, place])
