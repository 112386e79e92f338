"""Forget quality: p-value of a Kolmogorov-Smirnov test of truth ratios, this model's against the retrained one's.

Source: TOFU (arXiv 2401.06121), section 2.2; ``scipy.stats.ks_2samp`` with its defaults (two-sided, exact up to 10000
items), as in TOFU's code. Range [0, 1]; higher is better, 1 where the two cannot be told apart. The test depends on
ranks only, so it runs on ``log t`` (see ``truth_ratio``), which overflows for no model. Items hold ``log t``.
The end-of-sequence token counts, as in TOFU; ``eos: false`` leaves it out.

p is a step function of the item count: with 40 items D is a multiple of 1/40 and p can only be 1.0, 0.9999, 0.990,
0.919, 0.766, 0.579, ... Hence ``details`` has ``ks_statistic``, ``n`` and ``n_reference``. TOFU's code evaluates at
most 300 items a set and open-unlearning all (400 for forget10): the same D has another p, so these p-values do not
compare.

Reference code: open-unlearning prints null where the retrained model's logs are missing; here that is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from blur.core.errors import DataError
from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, Reference, likelihoods
from blur.metrics.kinds.truth_ratio import log_truth_ratios
from blur.metrics.scores import known

if TYPE_CHECKING:
    from blur.measurements import Floats


class Metric(MetricBase):
    """Forget quality on a set, against the retrained model."""

    direction: ClassVar[Direction] = "higher"
    set: str
    truth: str
    reference: Reference = "retrained"
    eos: Flag = True

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.truth, "perturbed_answer")

    def compute(self, context: MetricContext) -> Outcome:
        """Return the p-value; see the module. ``DataError`` if the two models' items differ."""
        other = known(log_truth_ratios(context.reference(self.reference), self.set, self.truth, self.eos))
        own = known(log_truth_ratios(context.measured, self.set, self.truth, self.eos))
        if own.keys() != other.keys() or not own:
            odd = next(iter(own.keys() ^ other.keys()), "none at all")
            models = f"this model and the {self.reference} one"
            what = f"set {self.set}: {models} were measured on different items (id {odd})"
            raise DataError(what, f"metric {context.name}", "Type `blur evaluate` for both with the same settings")
        mine, its = np.array(list(own.values())), np.array(list(other.values()))
        undefined = int(np.isnan(mine).sum() + np.isnan(its).sum())
        items = {self.set: {item: value for item, value in own.items() if not np.isnan(value)}}
        counts = {"n": float(mine.size), "n_reference": float(its.size)}
        if undefined:
            reason = f"{undefined} truth ratios are NaN (a model has collapsed)"
            return Outcome(None, self.direction, mine.size, items, counts, reason)
        statistic, p_value = ks_test(mine, its)
        return Outcome(p_value, self.direction, mine.size, items, {"ks_statistic": statistic, **counts})


def ks_test(first: Floats, second: Floats) -> tuple[float, float]:
    """Return statistic D and two-sided p-value of samples of shapes ``[n]`` and ``[m]``, which may hold infinities."""
    from scipy.stats import ks_2samp

    result = ks_2samp(first, second)
    return float(result.statistic), float(result.pvalue)
