"""A key-value cache that is given its room once, and may start with a beginning that all prompts share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

SHARED_FROM = 32  # tokens; a shorter common beginning is not worth a forward pass of its own


class RoomyLayer(DynamicLayer):
    """Writes into tensors made for ``capacity`` tokens; transformers' own layer copies all it holds at every token."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.room: list[Tensor] = []

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append states [B, H, T, d]; return all there are, as views."""
        states = (key_states, value_states)
        if not self.is_initialized:
            self.lazy_initialization(*states)
            self.room = [new.new_empty(*new.shape[:2], self.capacity, new.shape[-1]) for new in states]
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        for room, new in zip(self.room, states, strict=True):
            room[:, :, start:end] = new
        self.keys, self.values = (room[:, :, :end] for room in self.room)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows only."""
        end = self.get_seq_length()
        keys, values = (room[:, :, :end].index_select(0, indices) for room in self.room)
        self.is_initialized = False
        self.update(keys, values)


def reach(model: Any) -> float:
    """Return how many tokens, itself included, each token of a text attends to: a window's size, or all (infinity).

    0 for models whose state is no cache of keys and values, or not that alone.
    """
    if not model._supports_default_dynamic_cache():
        return 0
    seen = [math.inf]
    for layer in DynamicCache(config=model.config).layers:
        if type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer):
            return 0
        seen.append(getattr(layer, "sliding_window", math.inf))
    return min(seen)


def prepared_cache(model: Any, prompts: Sequence[Sequence[int]], capacity: int) -> tuple[DynamicCache | None, int]:
    """Return a cache for a batch of prompts, and how many tokens it holds: those that all prompts begin with.

    None and 0 for models whose state is of another kind; among them sliding windows, in which padding after the shared
    tokens would push real ones out.

    Args:
        capacity: tokens of the longest prompt and the new ones.
    """
    if reach(model) < math.inf:
        return None, 0
    cache = DynamicCache(config=model.config)
    alike = (len(set(tokens)) == 1 for tokens in zip(*(prompt[:-1] for prompt in prompts), strict=False))
    size = next(place for place, same in enumerate((*alike, False)) if not same)
    if len(prompts) == 1 or size < SHARED_FROM:
        cache.layers = [RoomyLayer(capacity) for _ in cache.layers]
        return cache, 0
    tokens = torch.tensor([prompts[0][:size]], device=next(model.parameters()).device)
    shared = model(input_ids=tokens, use_cache=True, past_key_values=DynamicCache(config=model.config)).past_key_values
    cache.layers = []
    for one in shared.layers:  # those of a model beside it too
        layer = RoomyLayer(capacity)
        layer.update(*(states.expand(len(prompts), -1, -1, -1) for states in (one.keys, one.values)))
        cache.layers.append(layer)
    return cache, size
