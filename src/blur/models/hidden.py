"""Hidden states after one decoder layer, without the layers above and without the output head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from blur.core.errors import ConfigError
from blur.models.batch import Batch
from blur.models.forward import PerPosition, head_at


@dataclass(frozen=True)
class HiddenStates(PerPosition):
    """Hidden states at the chosen positions."""

    states: Tensor  # [N, d]
    rows: Tensor  # int64[N], the sequence a position belongs to
    topics: tuple[str, ...]  # of the B sequences
    size: int  # B

    @property
    def precise_states(self) -> Tensor:
        """The states in float32 at least."""
        return self.states if self.states.dtype == torch.float64 else self.states.float()


def hidden_states(model: nn.Module, batch: Batch, kind: str, layer: int) -> HiddenStates:
    """Run ``model`` on ``batch`` up to a decoder layer and return that layer's output at the positions of ``kind``.

    The last layer's output is taken as it leaves the layer, before the model's final norm (which Hugging Face's
    ``output_hidden_states`` applies to it). The pass goes through the model's own ``forward`` to its end, with the
    layers above taken out and no position given to the head: no exception crosses it, so what is wrapped around the
    model or its layers (adapters, gradient checkpointing, hooks of sharding) works as in any other pass.

    Args:
        layer: 0-based index of the decoder layer.
    """
    keep = batch.positions(kind)
    chosen = keep.flatten().nonzero().squeeze(1)
    seen: list[Tensor] = []
    with _layers_up_to(model, layer, seen), head_at(model, chosen[:0], keep.shape):
        model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
    states = seen[0].flatten(0, 1).index_select(0, chosen)
    return HiddenStates(states, chosen // keep.shape[1], batch.topics, keep.shape[0])


def depth(model: nn.Module) -> int:
    """Return the number of decoder layers."""
    return len(decoder_layers(model))


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """Return the list of decoder layers.

    Raises:
        ConfigError: there is none, or more than one.
    """
    return _decoder_layers(model)[2]


@contextmanager
def _layers_up_to(model: nn.Module, layer: int, seen: list[Tensor]) -> Iterator[None]:
    """Leave out the decoder layers above ``layer``, and put its output in ``seen``."""
    owner, name, layers = _decoder_layers(model)

    def keep(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen.append(output if isinstance(output, Tensor) else output[0])

    handle = layers[layer].register_forward_hook(keep)
    setattr(owner, name, layers[: layer + 1])
    try:
        yield
    finally:
        setattr(owner, name, layers)
        handle.remove()


def _decoder_layers(model: nn.Module) -> tuple[nn.Module, str, nn.ModuleList]:
    """Find the one list of as many modules as the configuration counts layers: its owner, its name there, the list.

    Of a multimodal model only the language model is looked through.

    Raises:
        ConfigError: there is none, or more than one.
    """
    config: Any = getattr(model, "config", None)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    number = getattr(config, "num_hidden_layers", None)
    decoder = getattr(model, "get_decoder", lambda: model)()
    found = [place for place in _outer_lists(decoder) if len(place[2]) == number]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{type(owner).__name__}.{name}" for owner, name, _ in found) or "none"
    raise ConfigError(
        f"one list of {number} decoder layers is needed, found: {names}",
        where=type(model).__name__,
        remedy="Losses on hidden states and `{layer}` patterns work with decoder-only models of transformers",
    )


def _outer_lists(module: nn.Module) -> Iterator[tuple[nn.Module, str, nn.ModuleList]]:
    """Yield the lists of modules that are in no other list."""
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList):
            yield module, name, child
        else:
            yield from _outer_lists(child)
