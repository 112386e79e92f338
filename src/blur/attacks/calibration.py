"""Schemes that look at activations: layer by layer, each on what the layers below it give once they are quantized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from blur.attacks.linears import check_finite
from blur.core.errors import ConfigError
from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.hidden import depth, hidden_states
from blur.models.maps import LinearMap, bare_layers, layer_maps


class Solver(Protocol):
    """What quantizes one weight."""

    def observe(self, inputs: Tensor) -> None:
        """See the layer's inputs for one text, [tokens, in]."""

    def solve(self) -> Tensor:
        """Return the values of the quantized weight, [out, in]."""


def solvable(model: PreTrainedModel) -> list[LinearMap]:
    """Return what ``quantize_by_layer`` quantizes: those linear layers whose inputs a hook sees, no fused experts."""
    return [one for number in range(depth(model)) for one in _solvable(model, number)]


@torch.no_grad()
def quantize_by_layer(
    model: PreTrainedModel, texts: Sequence[Example], solver: Callable[[Tensor], Solver], where: str
) -> None:
    """Quantize, in place, the linear layers of the decoder layers of ``model``.

    Texts go through one at a time, so there is no padding to see. One of N layers is reached N / 2 times on average:
    all in all N / 2 passes over the texts, and no activation is stored here.

    Args:
        solver: makes one for a weight [out, in].

    Raises:
        ConfigError: there are no texts, or no decoder layers.
        ArtifactError: a weight is not finite.
    """
    if not texts:
        raise ConfigError("there are no calibration texts", where=where, remedy="This scheme needs some")
    device = next(model.parameters()).device
    for number in range(depth(model)):
        solvers, handles = {}, []
        for linear in _solvable(model, number):
            check_finite(linear)
            solvers[linear] = solver(linear.stack[0].clone())
            handles.append(linear.layer.register_forward_pre_hook(_watch(solvers[linear])))
        for text in texts:
            hidden_states(model, collate([text], device), "attended", number)
        for handle in handles:
            handle.remove()
        for linear, one in solvers.items():
            linear.stack[0].copy_(one.solve())


def _solvable(model: PreTrainedModel, number: int) -> list[LinearMap]:
    bare = bare_layers(model)
    return [one for one in layer_maps(model, number) if not one.is_fused and one.layer not in bare]


def _watch(solver: Solver) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def hook(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        solver.observe(inputs[0].detach().flatten(0, -2))

    return hook
