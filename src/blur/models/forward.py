"""One forward pass of any Hugging Face causal LM, with logits only at the positions a loss reads."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from blur.models.batch import Batch

BESIDE = "beside"  # attribute of a model: others that run on what it is given, each a module of its own


class PerPosition:
    """Values at N chosen positions of a batch of B sequences, in the order of the batch."""

    rows: Tensor  # int64[N], the sequence a position belongs to
    size: int  # B

    @cached_property
    def counts(self) -> Tensor:
        """Number of chosen positions in each sequence, float64[B]."""
        return self.sum_rows(torch.ones_like(self.rows))

    def sum_rows(self, values: Tensor) -> Tensor:
        """Sum one value per position [N] within each sequence, in float64; padding cannot change the order."""
        sums = torch.zeros(self.size, dtype=torch.float64, device=values.device)
        return sums.index_add(0, self.rows, values.double())


@dataclass(frozen=True)
class Outputs(PerPosition):
    """Logits at the chosen positions."""

    logits: Tensor  # [N, V]
    rows: Tensor  # int64[N], the sequence a position belongs to
    targets: Tensor  # int64[N], the next token there; meaningless at a sequence's last position
    size: int  # B
    answers: tuple[int, ...] = ()  # of each alternate, which are the last rows: the row of its example

    @property
    def precise_logits(self) -> Tensor:
        """The logits in float32 at least."""
        return self.logits if self.logits.dtype == torch.float64 else self.logits.float()

    @property
    def places(self) -> Tensor:
        """Numbers of the positions, int64[N], to index logits by beside ``targets``."""
        return torch.arange(len(self.rows), device=self.rows.device)

    @property
    def ranks(self) -> Tensor:
        """How many chosen positions of its sequence each comes after, int64[N]."""
        counts = self.counts.long()
        return self.places - (counts.cumsum(0) - counts)[self.rows]

    @cached_property
    def nlls(self) -> Tensor:
        """Negative log-likelihood of each position's target in nats, [N]."""
        return cross_entropy(self.precise_logits, self.targets, reduction="none")

    @cached_property
    def nll_sums(self) -> Tensor:
        """Negative log-likelihood of each sequence in nats, float64[B]: float32 per token, float64 sum."""
        return self.sum_rows(self.nlls)

    @cached_property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Rows of the answer and of the alternate of each pair, int64[P] each: all alternates, in their order."""
        first = self.size - len(self.answers)
        return self.rows.new_tensor(self.answers), torch.arange(first, self.size, device=self.rows.device)

    def mean_pairs(self, values: Tensor) -> Tensor:
        """Return the mean of one value per pair [P] over each example's alternates, float64[examples]."""
        answers, alternates = self.pairs
        sums = torch.zeros(self.size - len(alternates), dtype=torch.float64, device=values.device)
        number = sums.index_add(0, answers, torch.ones_like(values, dtype=torch.float64))
        return sums.index_add(0, answers, values.double()) / number


def forward(model: nn.Module, batch: Batch, kind: str) -> Outputs:
    """Run ``model`` on ``batch`` and return logits at the positions of ``kind`` (``scored`` or ``attended``)."""
    keep = batch.positions(kind)
    chosen = keep.flatten().nonzero().squeeze(1)
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask, "use_cache": False}
    logits = logits_at(model, chosen, **inputs)
    targets = batch.input_ids.roll(-1, 1).flatten()[chosen]
    return Outputs(logits, chosen // keep.shape[1], targets, keep.shape[0], batch.answers)


def logits_at(model: nn.Module, chosen: Tensor, **inputs: Any) -> Tensor:
    """Return logits [N, V] at N ``chosen`` places of the flattened ``input_ids`` [B, T]; none elsewhere are made."""
    shape = inputs["input_ids"].shape
    with head_at(model, chosen, shape):
        logits = model(**inputs).logits
    if logits.shape[:2] == shape:
        logits = logits.flatten(0, 1).index_select(0, chosen)
    return logits.reshape(-1, logits.shape[-1])


def takes_positions(model: Any) -> bool:
    """Whether a model, adapters around it set aside, is told its tokens' positions (``position_ids``)."""
    bare = getattr(model, "get_base_model", lambda: model)()
    return "position_ids" in inspect.signature(bare.forward).parameters


@contextmanager
def head_at(model: nn.Module, chosen: Tensor, shape: torch.Size) -> Iterator[None]:
    """Let the output head see the hidden states of the chosen positions only, as one sequence [1, N, d].

    The model's own code after the head (scaling, soft-capping) then works on those logits, whatever the architecture.
    """
    heads = [getattr(one, "get_output_embeddings", lambda: None)() for one in (model, *getattr(model, BESIDE, ()))]

    def gather(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if inputs[0].shape[:2] != shape:
            return inputs
        return inputs[0].flatten(0, 1).index_select(0, chosen).unsqueeze(0), *inputs[1:]

    handles = [head.register_forward_pre_hook(gather) for head in heads if head is not None]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
