"""Token sequences as padded tensors, and what is counted in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from blur.models.encode import IGNORE, Example, Unit


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences. Padding is never attended to by a real token and never scored.

    The first rows are the examples; the alternates of all of them follow, in the examples' order.
    """

    ids: tuple[str, ...]
    input_ids: Tensor  # int64[B, T]
    attention_mask: Tensor  # int64[B, T], 1 on real tokens
    labels: Tensor  # int64[B, T], -100 on prompt and padding
    topics: tuple[str, ...] = ()  # of the B sequences
    answers: tuple[int, ...] = ()  # of each alternate: the row of its example

    def positions(self, kind: str) -> Tensor:
        """Return bool[B, T]: positions that predict a label (``scored``), or all but padding (``attended``)."""
        if kind == "attended":
            return self.attention_mask.bool()
        scored = torch.zeros_like(self.labels, dtype=torch.bool)
        scored[:, :-1] = self.labels[:, 1:] != IGNORE
        return scored


def count(example: Example, unit: Unit) -> int:
    """Return how many of ``unit`` an example holds: its denominator in a loss of that unit.

    Tokens and positions of alternates count too; an example with its alternates is one sequence.
    """
    if unit == "sequence":
        return 1
    if example.alternates:
        return sum(count(one, unit) for one in example.rows)
    length = len(example.input_ids)
    return length if unit == "position" else max(length - max(example.num_prompt, 1), 0)


def collate(examples: Sequence[Example], device: torch.device | str = "cpu") -> Batch:
    """Pad on the right and move to ``device``; shapes are [B, T], B rows with alternates, T the longest one."""
    answers = tuple(row for row, example in enumerate(examples) for _ in example.alternates)
    texts = [*examples, *(alternate for example in examples for alternate in example.alternates)]
    longest = max(len(text.input_ids) for text in texts)
    input_ids = torch.zeros(len(texts), longest, dtype=torch.int64)
    mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORE)
    for row, example in enumerate(texts):
        tokens = torch.as_tensor(example.input_ids, dtype=torch.int64)
        input_ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        labels[row, example.num_prompt : len(tokens)] = tokens[example.num_prompt :]
    ids = tuple(text.id for text in texts)
    topics = tuple(text.topic for text in texts)
    return Batch(ids, input_ids.to(device), mask.to(device), labels.to(device), topics, answers)
