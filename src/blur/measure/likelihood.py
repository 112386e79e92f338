"""Log-probabilities of given texts: one forward pass per text serves every likelihood metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from blur.measure.batching import Progress, buckets, evaluation_mode
from blur.measurements import LikelihoodRow
from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.forward import forward

# Logits worked on at a time: on a CPU they stay in a core's cache (2.3 times faster at a vocabulary of 1000), elsewhere
# memory is bounded.
CACHED, CHUNK = 2**17, 2**22


@dataclass(frozen=True)
class Passage:
    """A text to score, and where it comes from (the columns of ``LikelihoodRow``)."""

    set: str
    field: str
    index: int
    text: str
    example: Example
    has_eos: bool


def score(
    model: nn.Module, passages: Sequence[Passage], max_batch_tokens: int, progress: Progress | None = None
) -> list[LikelihoodRow]:
    """Score each passage in exactly one forward pass; the result does not depend on order or batching (to 1e-5).

    Args:
        max_batch_tokens: tokens of a batch, padding included.

    Returns:
        One row per passage, in the given order. Log-probabilities are natural logarithms, taken in float32 (float64
        for a float64 model). ``vocab_mean`` and ``vocab_var`` are mean and variance of log p under p itself, as Min-K++
        (Zhang et al. 2024, arXiv 2404.02936, eq. 3) needs them.
    """
    device = next(model.parameters()).device
    rows: dict[int, LikelihoodRow] = {}
    with evaluation_mode(model), torch.no_grad():
        for batch in buckets([len(passage.example.input_ids) for passage in passages], max_batch_tokens):
            chosen = [passages[index] for index in batch]
            outputs = forward(model, collate([passage.example for passage in chosen], device), "scored")
            columns = _statistics(outputs.precise_logits, outputs.targets)
            sizes = torch.bincount(outputs.rows, minlength=outputs.size).tolist()
            split = [column.cpu().split(sizes) for column in columns]
            for place, index in enumerate(batch):
                rows[index] = _row(chosen[place], *(column[place] for column in split))
            if progress:
                progress(len(rows), len(passages), "likelihood")
    return [rows[index] for index in range(len(passages))]


def _statistics(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Per position: log p(target) [N], target is the argmax [N], E_p[log p] [N], Var_p[log p] [N]; logits [N, V]."""
    parts = []
    size = max(1, (CACHED if logits.device.type == "cpu" else CHUNK) // logits.shape[-1])
    for block, wanted in zip(logits.split(size), targets.split(size), strict=True):
        logp = block.log_softmax(-1)
        p = logp.exp()
        mean = (p * logp).sum(-1)
        # Centred first: E[x^2] - E[x]^2 would cancel where the model is sure.
        var = p.mul_((logp - mean[:, None]).square_()).sum(-1)
        parts.append((logp.gather(1, wanted[:, None])[:, 0], block.argmax(-1) == wanted, mean, var))
    logprob, argmax, mean, var = (torch.cat(column) for column in zip(*parts, strict=True))
    return logprob, argmax, mean, var


def _row(passage: Passage, logprob: Tensor, argmax: Tensor, mean: Tensor, var: Tensor) -> LikelihoodRow:
    return LikelihoodRow(
        set=passage.set,
        id=passage.example.id,
        field=passage.field,
        index=passage.index,
        text=passage.text,
        logprob=logprob.numpy(),
        argmax=argmax.numpy(),
        vocab_mean=mean.numpy(),
        vocab_var=var.numpy(),
        has_eos=passage.has_eos,
    )
