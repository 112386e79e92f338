"""What a loss may read besides the model: the original one, or numbers of it computed once, and the run's seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from blur.models.batch import Batch, collate
from blur.models.encode import Example
from blur.models.forward import forward
from blur.models.hidden import HiddenStates
from blur.unlearn.losses.base import LIVE, Need, Reference
from blur.unlearn.views import View


def reference_for(
    batch: Batch,
    view: View,
    needs: frozenset[Need],
    sums: Mapping[str, float] | None,
    model: nn.Module | None,
    seed: int = 0,
    labels: Mapping[Need, Mapping[str, Sequence[int]]] | None = None,
) -> Reference:
    """Look up, or compute without gradients, what ``needs`` names for a batch; ``model`` is run as far as ``view``.

    Args:
        sums: reference sum of each text by its id.
        labels: other labels of each text's scored tokens by its id, by kind.
    """
    device = batch.input_ids.device
    cached = logits = hidden = None
    if "reference_sums" in needs and sums is not None:
        values = [sums[identity] for identity in batch.ids]
        cached = torch.tensor(values, dtype=torch.float64, device=device)
    if needs & LIVE and model is not None:
        with torch.no_grad():
            outputs = view.read(model, batch)
        if isinstance(outputs, HiddenStates):
            hidden = outputs.precise_states
        else:
            logits = outputs.precise_logits
    known = {
        kind: torch.tensor([label for identity in batch.ids for label in given[identity]], device=device)
        for kind, given in (labels or {}).items()
        if kind in needs
    }
    return Reference(cached, logits, hidden, known, seed, batch.ids)


def reference_sums(model: nn.Module, examples: Sequence[Example], batch_size: int = 16) -> dict[str, float]:
    """Return the summed NLL in nats of each example, and of its alternates, under ``model``, by the losses' own code.

    Args:
        model: the original model; its training mode is put back afterwards.
        examples: the forget stream, say.
        batch_size: examples a forward pass; changes the sums by float32 rounding only.
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
