"""Each decoder layer is solved on what the quantized layers below it give."""

from __future__ import annotations

import pytest
import torch

from blur.attacks.calibration import quantize_by_layer
from blur.models.maps import linear_maps
from tests.attacks.models import TEXTS, gpt2, llama


class Halved:
    """Keeps what it saw, and halves the weight."""

    made: list

    def __init__(self, matrix):
        self.matrix, self.seen = matrix, []
        Halved.made.append(self)

    def observe(self, inputs):
        self.seen.append(inputs)

    def solve(self):
        return self.matrix / 2


@pytest.mark.parametrize("make", [llama, gpt2])
def test_inputs_are_those_of_the_quantized_layers_below(make):
    model, Halved.made = make(), []
    quantize_by_layer(model, TEXTS, Halved, "test")
    layers = model.model.layers if make is llama else model.transformer.h
    plain = make()
    for one, two in zip(linear_maps(model), linear_maps(plain), strict=True):
        within = ".layers." in one.name or ".h." in one.name
        assert torch.equal(one.weight, two.weight / 2 if within else two.weight)
    solvers = iter(Halved.made)
    for layer in layers:
        for linear in linear_maps(layer):
            solver = next(solvers)
            assert torch.equal(solver.matrix, 2 * linear.stack[0])
            assert [len(inputs) for inputs in solver.seen] == [len(text.input_ids) for text in TEXTS]
    assert next(solvers, None) is None
    # the last layer's first linear layer, in the finished model: below it, everything is final
    first, seen = next(linear_maps(layers[1])), []
    handle = first.layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()[0]))
    for text in TEXTS:
        model(input_ids=torch.tensor([text.input_ids]))
    handle.remove()
    solver = Halved.made[len(list(linear_maps(layers[0])))]
    assert all(torch.allclose(one, two, atol=1e-6) for one, two in zip(seen, solver.seen, strict=True))
    plain_layers = plain.model.layers if make is llama else plain.transformer.h
    assert len(list(linear_maps(plain_layers[0]))) == (7 if make is llama else 4)
    assert not next(linear_maps(layers[0])).layer._forward_pre_hooks
