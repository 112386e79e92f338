"""Truth ratio: how likely wrong answers are against the right one, ``t = mean p(false) / p(true)`` per item.

Both are probabilities normalised by length, and the mean over the wrong answers is geometric:
``log t = mean_k mean_t log p(false_k) - mean_t log p(true)``. Source: TOFU (arXiv 2401.06121), section 2.2. The true
answer is the paraphrase on forget and retain sets and the plain answer elsewhere. The paper's formula has an arithmetic
mean; the code that made the paper's numbers (``aggregate_eval_stat.py``) a geometric one, as here and in
open-unlearning. (On TOFU's own logs the arithmetic mean gives a model utility of 0.586 in place of 0.623.)

Three meanings share the name, chosen by ``aggregate``, each a mean over items in [0, 1]:
``closeness``: ``min(t, 1/t)``, high where right and wrong look alike, for forget sets;
``utility``: ``max(0, 1 - t)``, high where the right answer wins, for model utility;
``share``: ``1 / (1 + t)``, true / (true + false), 0.5 where both look alike.
The end-of-sequence token counts, as in TOFU; ``eos: false`` leaves it out.

Reference code: TOFU's logs store the inverse (true / false); open-unlearning adds 1e-10 to the denominator, which sends
the ratio of a collapsed model to 0 (so ``utility`` to 1), and shifts items after a missing one (anchors.md 1.6 #5).
Here everything is computed from ``log t`` and joined by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods, mean_of
from blur.metrics.scores import true_and_false

if TYPE_CHECKING:
    from blur.measurements import Floats, Measurements

Aggregate = Literal["closeness", "utility", "share"]


class Metric(MetricBase):
    """Truth ratio of a set, in one of its three meanings."""

    direction: ClassVar[Direction] = "higher"
    set: str
    truth: str
    aggregate: Aggregate
    eos: Flag = True

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.truth, "perturbed_answer")

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean over items of what ``aggregate`` makes of the ratio; see the module."""
        ratios = log_truth_ratios(context.measured, self.set, self.truth, self.eos)
        terms = aggregated(np.array(list(ratios.values()), dtype=np.float64), self.aggregate)
        items = {item: None if ratios[item] is None else float(term) for item, term in zip(ratios, terms, strict=True)}
        return mean_of({self.set: items}, self.direction)


def log_truth_ratios(measured: Measurements, set: str, truth: str, eos: bool) -> dict[str, float | None]:
    """Return ``log t`` (false over true) by id; None where an item lacks its true or all of its wrong answers."""
    pairs = true_and_false(measured, set, truth, eos)
    return {item: None if pair is None else log_truth_ratio(*pair) for item, pair in pairs.items()}


def log_truth_ratio(true: float, false: Sequence[float]) -> float:
    """Return ``mean(false) - true`` of mean log-probabilities; NaN where both are infinitely unlikely."""
    with np.errstate(invalid="ignore"):
        return float(np.mean(false) - true)


def aggregated(log_ratios: Floats, aggregate: Aggregate) -> Floats:
    """Return each item's term, shape as ``log_ratios``; infinities give the limits, NaN stays NaN."""
    with np.errstate(over="ignore"):
        if aggregate == "closeness":
            return np.exp(-np.abs(log_ratios))
        if aggregate == "utility":
            return np.maximum(0.0, -np.expm1(log_ratios))
        return 1.0 / (1.0 + np.exp(log_ratios))
