"""Neurons of a decoder layer: the inputs of maps that lead back to the model's width, and how they are taken out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from blur.core.errors import ConfigError
from blur.models.batch import Batch
from blur.models.forward import head_at
from blur.models.hidden import depth
from blur.models.maps import LinearMap, attention_outputs, down_projections, layer_maps


@dataclass(frozen=True)
class Neurons:
    """Neurons of one kind in one layer.

    Attributes:
        outgoing: the map that reads them: a down-projection, or attention's output projection, whose inputs are the
            heads' outputs one after another, each query head's its own under grouped-query attention too.
        incoming: the maps whose outputs make them and nothing else; none of attention, where a head's value is shared
            by the heads of its group and by all positions that look at it.
    """

    outgoing: LinearMap
    incoming: tuple[LinearMap, ...] = ()

    @property
    def number(self) -> int:
        """Number of neurons."""
        return self.outgoing.stack.shape[2]

    @property
    def pruned(self) -> Tensor:
        """Which neurons nothing reads, bool[number]."""
        return ~self.outgoing.stack.any(dim=1)[0]

    def prune(self, chosen: Tensor) -> None:
        """Set what leads out of neurons to zero, and what leads into them where that is theirs alone.

        Args:
            chosen: bool[number].
        """
        self.outgoing.stack[..., chosen] = 0
        for one in self.incoming:
            one.stack[0].unflatten(0, (-1, self.number))[:, chosen] = 0
            if (bias := getattr(one.layer, "bias", None)) is not None:
                bias.detach().unflatten(0, (-1, self.number))[:, chosen] = 0


def neurons(model: Any, kind: Literal["feed_forward", "attention"]) -> list[Neurons]:
    """Return the neurons of a kind, layer by layer.

    Raises:
        ConfigError: a layer has none that can be told: fused experts, or no attention.
    """
    found: list[Neurons] = []
    for layer in range(depth(model)):
        outgoing = (down_projections if kind == "feed_forward" else attention_outputs)(model, layer)
        if len(outgoing) != 1 or outgoing[0].is_fused:
            what = f"layer {layer} has {len(outgoing)} groups of {kind} neurons, or those of fused experts"
            raise ConfigError(what, type(model).__name__, "Neurons are those of dense decoder layers with attention")
        into = _incoming(model, layer, outgoing[0]) if kind == "feed_forward" else ()
        found.append(Neurons(outgoing[0], into))
    return found


def _incoming(model: Any, layer: int, outgoing: LinearMap) -> tuple[LinearMap, ...]:
    """Return the maps beside a down-projection: up, gate, or both in one, a half after the other."""
    beside, number = outgoing.path.rpartition(".")[0], outgoing.stack.shape[2]
    maps = (one for one in layer_maps(model, layer) if one.path.rpartition(".")[0] == beside)
    return tuple(one for one in maps if one.layer is not outgoing.layer and one.stack.shape[1] % number == 0)


def activations(model: nn.Module, batch: Batch, groups: Sequence[Neurons]) -> list[Tensor]:
    """Return the neurons' values at all positions but padding, [positions, number] of each group, without gradients."""
    attended = batch.attention_mask.bool()
    seen: dict[int, Tensor] = {}
    with torch.no_grad(), _watched(groups, seen), head_at(model, attended.flatten().nonzero()[:0, 0], attended.shape):
        model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
    return [seen[place].reshape(*attended.shape, -1)[attended] for place in range(len(groups))]


@contextmanager
def _watched(groups: Sequence[Neurons], seen: dict[int, Tensor]) -> Iterator[None]:
    def keep(place: int, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen[place] = inputs[0]

    with ExitStack() as stack:
        for place, group in enumerate(groups):
            handle = group.outgoing.layer.register_forward_pre_hook(partial(keep, place))
            stack.callback(handle.remove)
        yield
