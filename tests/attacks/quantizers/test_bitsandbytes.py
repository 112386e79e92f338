"""FP4, NF4 and LLM.int8 against their definitions."""

from __future__ import annotations

import pytest
import torch

from tests.attacks.models import gpt2, quantizer

REASON = quantizer("bitsandbytes").unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
# Dettmers et al. 2023, arXiv 2305.14314, appendix E
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334]
NF4 += [-0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224]
NF4 += [0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
FP4 = [0, 0.0625 / 12, 8 / 12, 12 / 12, 4 / 12, 6 / 12, 2 / 12, 3 / 12]  # a sign bit, 2 of exponent, 1 of mantissa


def matrix(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def blocks(tensor, size=64):
    """The flattened tensor, zeros appended, as rows of a block each."""
    flat = tensor.flatten()
    return torch.cat([flat, flat.new_zeros(-len(flat) % size)]).reshape(-1, size)


@pytest.mark.parametrize("shape", [(4, 128), (48, 32), (7, 33), (1, 5)])  # 32, 33, 5: rows end within a block
@pytest.mark.parametrize("size", [32, 64, 128])
def test_nf4_is_the_nearest_of_sixteen_numbers_times_the_largest_of_a_block(shape, size):
    weight, table = matrix(*shape), torch.tensor(NF4)
    codes, values = quantizer("bitsandbytes", type="nf4", block_size=size).encode(weight)
    largest = blocks(weight, size).abs().amax(1, keepdim=True)
    expected = (blocks(weight, size) / largest).unsqueeze(-1).sub(table).abs().argmin(-1)
    assert torch.equal(codes.long(), expected.flatten()[: weight.numel()].reshape(shape))
    assert torch.allclose(values, (table[expected] * largest).flatten()[: weight.numel()].reshape(shape), atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 128), (48, 32)])
def test_fp4_has_these_sixteen_numbers(shape):
    weight, table = matrix(*shape), torch.tensor([*FP4, *(-value for value in FP4)])
    codes, values = quantizer("bitsandbytes").encode(weight)
    largest = blocks(weight).abs().amax(1, keepdim=True)
    assert torch.allclose(blocks(values), table[blocks(codes).long()] * largest, atol=2e-4)
    nearest = (blocks(weight) / largest).unsqueeze(-1).sub(table).abs().amin(-1) * largest
    assert ((blocks(values) - blocks(weight)).abs() - nearest).max() < 0.02  # the library's own limits are rounded


def test_fp4s_minus_zero_is_zero():
    weight = torch.tensor([[1.0, 0.001, -0.001, 0.0] * 16])  # half of the smallest number is 0.0026
    codes, values = quantizer("bitsandbytes").encode(weight)
    assert codes[0, :4].tolist() == [3, 0, 0, 0]
    assert torch.equal(values, weight.round())


@pytest.mark.parametrize("kind", ["fp4", "nf4"])
def test_rounded_weights_compute_what_the_librarys_layer_does(kind):
    import bitsandbytes

    weight, inputs = matrix(64, 128), matrix(5, 128)
    layer = bitsandbytes.nn.Linear4bit(128, 64, bias=False, quant_type=kind, compress_statistics=False)
    layer.load_state_dict({"weight": weight})
    values = quantizer("bitsandbytes", type=kind).encode(weight)[1]
    assert torch.allclose(layer.to("cpu")(inputs), inputs @ values.t(), atol=1e-4)


def int8_by_hand(inputs, weight, bias):
    """LLM.int8 in float64: columns of activations with a 6 in them are multiplied as they are."""
    scale = weight.abs().amax(1, keepdim=True) / 127
    codes = (weight / scale).round()
    outlier = inputs.abs().ge(6).any(0)
    plain = inputs.masked_fill(outlier, 0.0)
    step = plain.abs().amax(1, keepdim=True) / 127
    return (plain / step).round() @ codes.t() * step * scale.t() + (inputs * outlier) @ (codes * scale).t() + bias


@pytest.mark.parametrize("outlier", [False, True])
def test_llm_int8_rounds_weights_by_row_and_activations_by_token(outlier):
    model = gpt2()
    made = quantizer("bitsandbytes", type="int8").quantize(model, [])
    old, new = model.transformer.h[1].mlp.c_fc, made.transformer.h[1].mlp.c_fc
    inputs = matrix(9, 16).clamp(-3, 3)
    if outlier:
        inputs[:, 4] = 40.0
    # the library works in float16
    rounded = [tensor.detach().half().double() for tensor in (inputs, old.weight.t())]
    expected = int8_by_hand(*rounded, old.bias.detach().double())
    found = new(inputs).double()
    assert torch.allclose(found, expected, atol=0.02 if not outlier else 0.1)
    whole = inputs.double() @ old.weight.detach().double() + old.bias.detach().double()
    assert (found - whole).abs().max() > 3 * (found - expected).abs().max()


def test_int8_codes_lie_as_the_weights_do():
    model, name = gpt2(), "transformer.h.0.mlp.c_fc.weight"
    weight = model.get_parameter(name).detach()
    codes = quantizer("bitsandbytes", type="int8").codes(model)[name]
    expected = (weight / (weight.abs().amax(0, keepdim=True) / 127)).round()
    assert (codes - expected).abs().max() <= 1  # the weights are rounded to float16 first
    assert (codes != expected).float().mean() < 0.02
