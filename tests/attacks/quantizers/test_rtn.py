"""Codes by hand: Delta = max|w| / 8 at 4 bits and max|w| / 128 at 8."""

from __future__ import annotations

import pytest
import torch
from torch import tensor

from blur.attacks.quantizers.rtn import encode
from blur.core.choice import build
from tests.attacks.models import gpt2, llama, quantizer


def codes(matrix, **settings):
    return quantizer("rtn", **settings).encode(tensor(matrix))[0].tolist()


def test_four_bits_with_one_delta_for_the_tensor():
    # max 8, so Delta = 1; 8 has no code and gets 7; ties go to even
    matrix = [[8.0, 0.4, -0.6, 0.5], [-7.6, 1.5, 2.5, -1.5]]
    assert codes(matrix, granularity="tensor") == [[7, 0, -1, 0], [-8, 2, 2, -2]]
    values = quantizer("rtn", granularity="tensor").encode(tensor(matrix))[1]
    assert values.tolist() == [[7.0, 0.0, -1.0, 0.0], [-8.0, 2.0, 2.0, -2.0]]


def test_four_bits_with_a_delta_for_each_output_channel():
    # Delta = 1 in the first row, 0.5 in the second, whose largest entry is negative
    assert codes([[8.0, 0.4, -0.6, 3.0], [-4.0, 1.6, 0.2, -1.3]], granularity="channel") == [
        [7, 0, -1, 3],
        [-8, 3, 0, -3],
    ]


def test_four_bits_with_a_delta_for_each_group_and_a_shorter_last_one():
    # Deltas 1, 0.25 and 2 in the first row; 0.5, none and 0.125 in the second
    matrix = [[8.0, -3.4, 2.0, 0.3, -16.0], [-4.0, 0.6, 0.0, 0.0, 1.0]]
    assert codes(matrix, group_size=2) == [[7, -3, 7, 1, -8], [-8, 1, 0, 0, 7]]
    assert codes(matrix, group_size=5) == codes(matrix, group_size=128) == codes(matrix, granularity="channel")


def test_eight_bits():
    # max 128, so Delta = 1; and 64, so Delta = 0.5
    matrix = [[128.0, 127.4, -128.0, -0.5], [-64.0, 63.6, 0.26, -0.74]]
    assert codes(matrix, bits=8, granularity="channel") == [[127, 127, -128, 0], [-128, 127, 1, -1]]
    assert codes(matrix, bits=8, granularity="tensor") == [[127, 127, -128, 0], [-64, 64, 0, -1]]


def test_zeros_and_the_smallest_numbers_there_are():
    made, values = quantizer("rtn", granularity="channel").encode(tensor([[0.0, 0.0], [1e-45, -1e-45]]))
    assert made.tolist() == [[0, 0], [0, 0]]  # the second row's Delta is 0 in float32 as well
    assert values.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_the_output_channels_of_gpt2_are_columns():
    model, settings = gpt2(), {"granularity": "channel"}
    layer = model.transformer.h[0].mlp.c_fc
    with torch.no_grad():
        layer.weight[:, 5] *= 100  # one output channel out of scale: its row of [out, in] has a Delta of its own
    name = "transformer.h.0.mlp.c_fc.weight"
    made = quantizer("rtn", **settings).codes(model)[name]
    assert made.shape == layer.weight.shape == (16, 64)
    for channel in range(64):
        column = layer.weight[:, channel].detach()
        expected = (column / (column.abs().max() / 8)).round().clamp(-8, 7)
        assert torch.equal(made[:, channel].float(), expected)
    other = gpt2()
    changed = made.ne(quantizer("rtn", **settings).codes(other)[name]).any(0)
    assert not changed[[c for c in range(64) if c != 5]].any()
    new = quantizer("rtn", **settings).quantize(model, [])
    assert torch.allclose(new.get_parameter(name).abs().amax(0), layer.weight.abs().amax(0), rtol=0.13)


def test_every_value_is_within_half_a_step_of_its_weight_but_for_the_clamped_one():
    matrix = torch.randn(50, 60, generator=torch.Generator().manual_seed(0))
    made, values = quantizer("rtn", granularity="channel").encode(matrix)
    step = matrix.abs().amax(1, keepdim=True) / 8
    clamped = matrix > 7.5 * step
    assert (values - matrix).abs()[~clamped].le(0.5001 * step.expand_as(matrix)[~clamped]).all()
    assert made[clamped].eq(7).all()
    assert clamped.any()


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rounded_again_with_the_same_delta_it_is_the_same(bits, dtype):
    blocks = torch.randn(200, 33, generator=torch.Generator().manual_seed(bits)).to(dtype)
    steps = blocks.float().abs().amax(1, keepdim=True) / 2 ** (bits - 1)
    made, values = encode(blocks.float(), bits, steps)
    stored = values.to(dtype)
    assert torch.equal(encode(stored.float(), bits, steps)[0], made)
    if dtype == torch.float32:
        assert torch.equal(encode(stored, bits, steps)[1], values)


def test_rounded_again_with_its_own_delta_it_is_the_same_where_the_lowest_code_is_used():
    blocks = torch.randn(400, 33, generator=torch.Generator().manual_seed(0))
    made, values = encode(blocks, 4)
    again = encode(values, 4)[1]
    lowest = made.eq(-8).any(1)
    assert 100 < lowest.sum() < 300
    assert torch.equal(again[lowest], values[lowest])
    assert again[~lowest].ne(values[~lowest]).any(1).all()  # Delta is 7/8 of what it was: 7 steps have become 8


def test_bfloat16_moves_a_value_by_less_than_a_32nd_of_a_step():
    model = llama(dtype=torch.bfloat16)
    weight = model.model.layers[0].mlp.up_proj.weight.detach().float()
    scheme = quantizer("rtn", granularity="channel")
    made = scheme.quantize(model, []).model.layers[0].mlp.up_proj.weight
    assert made.dtype == torch.bfloat16
    step = weight.abs().amax(1, keepdim=True) / 8
    assert ((made.float() - scheme.encode(weight)[1]).abs() / step).max() < 1 / 32


@pytest.mark.parametrize("change", [{"bits": 1}, {"bits": 9}, {"granularity": "row"}, {"group_size": 0}, {"bit": 4}])
def test_settings_that_do_not_exist(change):
    with pytest.raises(ValueError, match="rtn"):
        build("blur.attacks.quantizers", "Quantizer", {"name": "rtn", **change})
