"""Probability of an answer: ``exp(mean_t log p(y_t | x, y_<t))``, averaged over items.

Source: TOFU (arXiv 2401.06121), section 2.2; the exponent 1/|y| makes it a geometric mean per token. Range [0, 1].
Higher means better known: good on retained sets, bad on the forget set. The end-of-sequence token counts, as in
TOFU and open-unlearning; ``eos: false`` leaves it out. An infinite loss gives 0.
"""

from __future__ import annotations

import numpy as np

from blur.metrics.kinds.base import Direction, Metric, MetricContext, Reads, likelihoods, mean_of
from blur.metrics.scores import mean_logprobs

DIRECTION: Direction = "higher"


def reads(set: str, field: str) -> Reads:
    """Return what it looks up."""
    return likelihoods([set], field)


def compute(context: MetricContext, set: str, field: str = "answer", eos: bool = True) -> Metric:
    """Return the mean probability of ``field`` over ``set``; see the module."""
    means = mean_logprobs(context.measured, set, field, eos)
    items = {item: None if mean is None else float(np.exp(mean)) for item, mean in means.items()}
    return mean_of({set: items}, DIRECTION)
