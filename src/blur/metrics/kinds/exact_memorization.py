"""Exact memorization (EM): share of the answer's tokens that are the most likely one, given the true prefix.

``EM = mean_t [y_t = argmax p(. | x, y_<t)]``, averaged over items. Source: Tirumala et al. (arXiv 2205.10770), as
used by open-unlearning. Range [0, 1]; lower on the forget set is better. The end-of-sequence token does not count
(open-unlearning since PR #101: it is nearly always right after a finished sentence and lifts every score); ``eos:
true`` counts it. Items with a NaN log-probability are NaN: the argmax of NaN logits means nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods, mean_of
from blur.metrics.scores import by_id

if TYPE_CHECKING:
    from blur.measurements import TextScore


class Metric(MetricBase):
    """Exact memorization of a field of a set."""

    direction: ClassVar[Direction] = "lower"
    set: str
    field: str = "answer"
    eos: Flag = False

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean share of matched tokens; see the module."""
        scores = by_id(context.measured.likelihood(self.set, self.field), self.eos)
        return mean_of({self.set: {item: matched_share(score) for item, score in scores.items()}}, self.direction)


def matched_share(score: TextScore) -> float | None:
    """Return the share of tokens that are the argmax; None without tokens, NaN where a log-probability is NaN."""
    if not score.argmax.size:
        return None
    return math.nan if np.isnan(score.logprob).any() else float(np.mean(score.argmax))
