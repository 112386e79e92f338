"""Fluency of a model's greedy answers, without a model from a hub: as language, by the model before unlearning.

``exp(-max(0, l - q)) min(1, d / d0)`` of each answer: ``l`` is its mean token loss under the model before unlearning,
``q`` the 95th percentile of that of true answers it knows, ``d`` the share of the answer's pairs of words that are
distinct, ``d0`` the median of the true answers'. An empty answer has 0. Range [0, 1], higher is better; a repeated word
and shuffled ones are near 0.

Open-unlearning asks a classifier of gibberish from the hub, on the forget answers too; this is our replacement. A model
before unlearning that has never refused finds a refusal strange, and scores it low: then it tells nothing of methods
that refuse. The end-of-sequence token does not count. ``details`` has ``q``, and the answers' words over those of the
true ones (``length_ratio``). NaN in a loss makes it undefined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, NotDefinedError, Outcome, Reads, mean_of
from blur.metrics.kinds.repetition import ngrams
from blur.metrics.scores import known, mean_logprobs

if TYPE_CHECKING:
    from blur.measurements import GenerationRow

BAR = 0.95  # of the true answers' losses lie below


class Metric(MetricBase):
    """Fluency of the answers to a set, beside the true answers of ``references``."""

    direction: ClassVar[Direction] = "higher"
    set: str
    references: str

    def reads(self) -> Reads:
        """Return what it looks up."""
        pairs = frozenset([(self.set, "generated"), (self.references, "expected")])
        return Reads(likelihoods=pairs, generations=frozenset([self.set]))

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean over answers; see the module."""
        measured = context.measured
        true = measured.likelihood(self.references, "expected")
        levels = known(mean_logprobs(measured, self.references, "expected", eos=False)).values()
        if not levels:
            raise NotDefinedError(f"not defined: no true answer of {self.references!r} has a token")
        bar = float(np.quantile([-level for level in levels], BAR))
        usual = median(distinct_pairs(score.text) for score in true)
        rows = measured.generations(self.set)
        said = mean_logprobs(measured, self.set, "generated", eos=False) if _speaks(rows) else {}
        items = {row.id: fluency(said.get(row.id), bar, distinct_pairs(row.generated), usual) for row in rows}
        words, true_words = (
            sum(len(text.split()) for text in texts)
            for texts in ([row.generated for row in rows], [row.reference for row in rows])
        )
        details = {"bar": bar} if math.isfinite(bar) else {}
        details |= {"length_ratio": words / true_words} if true_words else {}
        return mean_of({self.set: items}, self.direction, details)


def _speaks(rows: Sequence[GenerationRow]) -> bool:
    """Whether any answer is not empty: of a model that says nothing, nothing is judged."""
    return any(row.generated.strip() for row in rows)


def fluency(level: float | None, bar: float, distinct: float, usual: float) -> float:
    """Return one answer's fluency; ``level`` is its mean log-probability, None for an empty answer."""
    if level is None:
        return 0.0
    excess = -level - bar
    return math.nan if math.isnan(excess) else math.exp(-max(excess, 0.0)) * min(1.0, distinct / usual)


def distinct_pairs(text: str) -> float:
    """Return the share of a text's pairs of neighbouring words that are distinct; 1 for a single word."""
    pairs = ngrams(text, 2)
    return len(set(pairs)) / len(pairs) if pairs else 1.0
