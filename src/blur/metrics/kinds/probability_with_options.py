"""Probability of the true answer among the options: ``p(true) / (p(true) + sum_k p(false_k))``, averaged over items.

Each ``p`` is a probability normalised by length (see ``probability``). Source: TOFU (arXiv 2401.06121), section 2.2,
for real authors and world facts. Range [0, 1], higher is better; chance is 1 / number of options. The end-of-sequence
token counts, as in TOFU; ``eos: false`` leaves it out.

Reference code: open-unlearning adds 1e-10 to the denominator, so that a collapsed model scores near 0 in place of
chance, and zips the filtered values with the unfiltered ids, so that one missing item shifts all later ones
(anchors.md 1.6 #5). Here the quotient is a softmax in log space and items are joined by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods, mean_of
from blur.metrics.scores import true_and_false


class Metric(MetricBase):
    """Probability of the true answer against the perturbed ones of a set."""

    direction: ClassVar[Direction] = "higher"
    set: str
    truth: str = "answer"
    eos: Flag = True

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.truth, "perturbed_answer")

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean share of the true answer; see the module."""
        pairs = true_and_false(context.measured, self.set, self.truth, self.eos)
        items = {item: None if pair is None else share_of_true(*pair) for item, pair in pairs.items()}
        return mean_of({self.set: items}, self.direction)


def share_of_true(true: float, false: Sequence[float]) -> float:
    """Return ``exp(true) / (exp(true) + sum exp(false))``; NaN where all of them are infinitely unlikely."""
    logs = np.array([true, *false])
    with np.errstate(invalid="ignore"):
        weights = np.exp(logs - logs.max())
    return float(weights[0] / weights.sum())
