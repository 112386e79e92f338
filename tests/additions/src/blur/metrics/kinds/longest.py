"""Number of tokens of the longest answer."""

from __future__ import annotations

from typing import ClassVar

from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods


class Metric(MetricBase):
    """Length of the longest answer of a set."""

    direction: ClassVar[Direction] = "lower"
    set: str

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], "answer")

    def compute(self, context: MetricContext) -> Outcome:
        """Return the number of scored tokens of the longest answer."""
        scores = context.measured.likelihood(self.set, "answer")
        return Outcome(float(max(len(score.logprob) for score in scores)), self.direction, len(scores))
