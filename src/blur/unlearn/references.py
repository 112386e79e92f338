"""Numbers of the original model that are computed once, so that it need not live in memory while training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from blur.unlearn.batches import Example, collate
from blur.unlearn.forward import forward


def reference_sums(model: nn.Module, examples: Sequence[Example], batch_size: int = 16) -> dict[str, float]:
    """Return each example's summed NLL in nats under ``model``, by the code the losses use.

    Args:
        model: the original model; its training mode is put back afterwards.
        examples: the forget stream, say.
        batch_size: sequences a forward pass; changes the sums by float32 rounding only.
    """
    device, training = next(model.parameters()).device, model.training
    model.eval()
    sums: dict[str, float] = {}
    with torch.no_grad():
        for start in range(0, len(examples), batch_size):
            batch = collate(examples[start : start + batch_size], device)
            sums.update(zip(batch.ids, forward(model, batch, "scored").nll_sums.tolist(), strict=True))
    model.train(training)
    return sums
