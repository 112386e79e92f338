"""Number of tokens of the longest answer."""

from __future__ import annotations

from blur.metrics.kinds.base import Direction, Metric, MetricContext, Reads, likelihoods

DIRECTION: Direction = "lower"


def reads(set: str) -> Reads:
    """Return what it looks up."""
    return likelihoods([set], "answer")


def compute(context: MetricContext, set: str) -> Metric:
    """Return the number of scored tokens of the longest answer of ``set``."""
    scores = context.measured.likelihood(set, "answer")
    return Metric(float(max(len(score.logprob) for score in scores)), DIRECTION, len(scores))
