"""Probability of an answer: ``exp(mean_t log p(y_t | x, y_<t))``, averaged over items.

Source: TOFU (arXiv 2401.06121), section 2.2; the exponent 1/|y| makes it a geometric mean per token. Range [0, 1].
Higher means better known: good on retained sets, bad on the forget set. The end-of-sequence token counts, as in
TOFU and open-unlearning; ``eos: false`` leaves it out. An infinite loss gives 0.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods, mean_of
from blur.metrics.scores import mean_logprobs


class Metric(MetricBase):
    """Probability of a field of a set."""

    direction: ClassVar[Direction] = "higher"
    set: str
    field: str = "answer"
    eos: Flag = True

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean probability; see the module."""
        means = mean_logprobs(context.measured, self.set, self.field, self.eos)
        items = {item: None if mean is None else float(np.exp(mean)) for item, mean in means.items()}
        return mean_of({self.set: items}, self.direction)
