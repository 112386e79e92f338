"""Extraction strength (ES): ``1 - k/n``, ``k`` the shortest true prefix after which every argmax token is right.

Source: Carlini et al. (arXiv 2012.07805) as used by open-unlearning; ``n`` answer tokens, teacher-forced
argmax, averaged over items. Range [0, 1]; lower on the forget set is better: 1 is extracted from the prompt alone. The
end-of-sequence token does not count (open-unlearning since PR #101); ``eos: true`` counts it.

Reference code: open-unlearning's loop over ``k`` ends at n-1, so a total miss scores 1/n, the same as an answer whose
last token alone is right (anchors.md 1.6 #4); and an answer without tokens counts as 0. Here a total miss is 0 and an
answer without tokens is left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from blur.metrics.kinds.base import Direction, Metric, MetricContext, Reads, likelihoods, mean_of
from blur.metrics.scores import by_id

if TYPE_CHECKING:
    from blur.measurements import Bools

DIRECTION: Direction = "lower"


def reads(set: str, field: str) -> Reads:
    """Return what it looks up."""
    return likelihoods([set], field)


def compute(context: MetricContext, set: str, field: str = "answer", eos: bool = False) -> Metric:
    """Return the mean extraction strength of ``field`` over ``set``; see the module."""
    scores = by_id(context.measured.likelihood(set, field), eos)
    items = {
        item: math.nan if np.isnan(score.logprob).any() else extraction_strength(score.argmax)
        for item, score in scores.items()
    }
    return mean_of({set: items}, DIRECTION)


def extraction_strength(matches: Bools) -> float | None:
    """Return ``1 - k/n`` of per-token matches of shape ``[n]``; None where ``n`` is 0."""
    if not matches.size:
        return None
    misses = np.flatnonzero(~matches)
    return float(matches.size - (misses[-1] + 1 if misses.size else 0)) / matches.size
