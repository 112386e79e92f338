"""Learning rate against steps. A pure function of the step, so there is no state to resume. Imports no torch."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Fraction, NonNegative, Strict, Whole


class Warmup(Strict):
    """Length of the linear warm-up, in exactly one unit."""

    steps: Whole | None = None
    ratio: Fraction | None = Field(default=None, description="part of all steps, rounded up")
    epochs: NonNegative | None = Field(default=None, description="passes over the forget stream, rounded up to steps")

    @model_validator(mode="after")
    def _one_unit(self) -> Warmup:
        if sum(value is not None for value in (self.steps, self.ratio, self.epochs)) != 1:
            raise ValueError("give exactly one of steps, ratio, epochs")
        return self

    def count(self, total: int, per_epoch: int) -> int:
        """Return the number of warm-up steps of a run of ``total`` steps."""
        if self.steps is not None:
            return self.steps
        return math.ceil(self.ratio * total) if self.ratio is not None else math.ceil((self.epochs or 0.0) * per_epoch)


class Schedule(Strict):
    """Warm-up, then constant, linear to zero or half a cosine to zero, step by step as in Hugging Face's schedules."""

    name: Literal["constant", "linear", "cosine"] = "constant"
    warmup: Warmup = Warmup(steps=0)

    def factor(self, step: int, total: int, per_epoch: int) -> float:
        """Return what the peak learning rate is multiplied by in a step counted from 0."""
        warmup = self.warmup.count(total, per_epoch)
        if step < warmup:
            return step / warmup
        progress = (step - warmup) / max(1, total - warmup)
        if self.name == "linear":
            return max(0.0, 1 - progress)
        return 0.5 * (1 + math.cos(math.pi * progress)) if self.name == "cosine" else 1.0
