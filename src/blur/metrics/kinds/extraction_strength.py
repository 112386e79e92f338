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
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from blur.core.settings import Flag
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods, mean_of
from blur.metrics.scores import by_id

if TYPE_CHECKING:
    from blur.measurements import Bools


class Metric(MetricBase):
    """Extraction strength of a field of a set."""

    direction: ClassVar[Direction] = "lower"
    set: str
    field: str = "answer"
    eos: Flag = False

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.set], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean extraction strength; see the module."""
        scores = by_id(context.measured.likelihood(self.set, self.field), self.eos)
        items = {
            item: math.nan if np.isnan(score.logprob).any() else extraction_strength(score.argmax)
            for item, score in scores.items()
        }
        return mean_of({self.set: items}, self.direction)


def extraction_strength(matches: Bools) -> float | None:
    """Return ``1 - k/n`` of per-token matches of shape ``[n]``; None where ``n`` is 0."""
    if not matches.size:
        return None
    misses = np.flatnonzero(~matches)
    return float(matches.size - (misses[-1] + 1 if misses.size else 0)) / matches.size
