"""What a loss may read of the original model; numbers computed once, so that it need not live in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from blur.core.errors import BlurError
from blur.models.batch import Batch, collate
from blur.models.encode import Example
from blur.models.forward import forward


@dataclass(frozen=True)
class Reference:
    """What a loss may read of the original model."""

    known_sums: Tensor | None = None
    known_logits: Tensor | None = None

    @property
    def sums(self) -> Tensor:
        """Summed NLL of each sequence in nats, float64[B]."""
        return _declared(self.known_sums, "reference_sums")

    @property
    def logits(self) -> Tensor:
        """Logits at the same positions as the outputs, [N, V], float32 at least."""
        return _declared(self.known_logits, "reference_logits")


def _declared(value: Tensor | None, need: str) -> Tensor:
    if value is None:
        raise BlurError(f"the loss reads {need} without naming it in `needs`, or it was not given")
    return value


def reference_for(
    batch: Batch, kind: str, needs: frozenset[str], sums: Mapping[str, float] | None, model: nn.Module | None
) -> Reference:
    """Look up, or compute without gradients, what ``needs`` names for a batch."""
    cached = logits = None
    if "reference_sums" in needs and sums is not None:
        values = [sums[identity] for identity in batch.ids]
        cached = torch.tensor(values, dtype=torch.float64, device=batch.input_ids.device)
    if "reference_logits" in needs and model is not None:
        with torch.no_grad():
            logits = forward(model, batch, kind).precise_logits
    return Reference(cached, logits)


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
