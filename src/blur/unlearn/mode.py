"""The mode in which a model learns: dropout off unless it is asked for, and gradient checkpointing in either mode.

A loss with a reference compares the model with itself as it was, in evaluation mode. In training mode a GPT-2 at its
starting weights is 31 away from itself in RMU's retain loss, and NPO is not 2 / beta ln 2; what is drawn depends on how
a batch is split, so that accumulation changes the loss. The same holds for a router's noise (``router_jitter_noise``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from blur.models.hidden import decoder_layers


@contextmanager
def learning(model: nn.Module, dropout: bool, checkpointing: bool) -> Iterator[None]:
    """Put ``model`` in training mode (``dropout``) or evaluation mode, and leave it there.

    Args:
        checkpointing: inside, the decoder layers keep their inputs only and are run again in the backward pass. That of
            transformers works in training mode only.

    Raises:
        ConfigError: the layers to be checkpointed are not found.
    """
    model.train(dropout)
    layers: list[Any] = list(decoder_layers(model)) if checkpointing else []
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
