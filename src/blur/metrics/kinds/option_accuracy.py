"""Accuracy by likelihood: the share of questions whose true answer is likelier, per token, than each wrong one.

Source: LLM Surgery (arXiv 2409.13054): of three options, the one with the lowest perplexity as a continuation of the
question counts. The answers are a record's own and its ``perturbed_answer``, under the model's own template. Range
[0, 1]; where several options are the likeliest, each counts a share, so that a model that finds all alike is at chance.
``details`` holds ``chance``, the mean of one over the number of options. The end-of-sequence token is left out, unless
``eos: true``.

Reference code: tokens whose loss is exactly 0 are dropped from the mean along with padding; here a certain token
counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods, mean_of
from blur.metrics.scores import true_and_false


class Metric(MetricBase):
    """Share of a set's questions whose true answer is the likeliest option."""

    direction: ClassVar[Direction] = "higher"
    set: str
    truth: str = "answer"
    eos: Flag = False

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.truth, "perturbed_answer")

    def compute(self, context: MetricContext) -> Outcome:
        """Return the share; see the module."""
        pairs = true_and_false(context.measured, self.set, self.truth, self.eos)
        items = {item: None if pair is None else share_right(*pair) for item, pair in pairs.items()}
        options = [1 + len(pair[1]) for pair in pairs.values() if pair is not None]
        details = {"chance": float(np.mean([1 / number for number in options]))} if options else {}
        return mean_of({self.set: items}, self.direction, details)


def share_right(true: float, false: Sequence[float]) -> float:
    """Return 1 where ``true`` is the highest, its share where it is one of the highest, else 0; NaN where one is."""
    scores = np.array([true, *false])
    return float((true == scores.max()) / (scores == scores.max()).sum()) if not np.isnan(scores).any() else np.nan
