"""How the next token is chosen: the likeliest, or drawn by a generator that every prompt has for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from blur.core.hashing import sha256_json


@dataclass(frozen=True)
class Sampling:
    """The likeliest token at temperature 0, else one drawn from the whole distribution."""

    temperature: float = 0.0
    seed: int = 0


GREEDY = Sampling()


class Draws:
    """A logits processor of transformers that draws tokens.

    The largest of ``logits / temperature + Gumbel noise`` is a sample of the softmax.
    A prompt's noise comes from the seed and its own tokens alone, so that what it is answered depends neither on how
    prompts fall into batches nor on how long other answers are. It is drawn on the CPU, alike for all devices, and in
    float64, where no draw is zero.
    """

    def __init__(self, sampling: Sampling, prompts: Sequence[Sequence[int]]) -> None:
        self._temperature = sampling.temperature
        seeds = (int(sha256_json([sampling.seed, list(prompt)])[:16], 16) for prompt in prompts)
        self._generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return ``scores`` [B, V] with the noise of one more token for each row."""
        draws = torch.empty(scores.shape, dtype=torch.float64)
        for row, generator in zip(draws, self._generators, strict=True):
            row.exponential_(generator=generator)
        return scores.double() / self._temperature - draws.log().to(scores.device)

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only."""
        self._generators = [self._generators[row] for row in rows]
