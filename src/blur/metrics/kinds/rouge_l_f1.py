"""ROUGE-L F1 of a greedy generation: harmonic mean of LCS recall and precision, averaged over items.

Source: MUSE (arXiv 2407.06460), section 3, VerbMem (a text continued) and KnowMem (a question answered). Words are
compared without a stemmer, as in MUSE's code; ``stemmer: true`` is open-unlearning's, which scores higher. Range
[0, 1]; higher means better known: good on retained facts, bad on the forget set. It compares words, so no
end-of-sequence token is involved.

``stop`` lists strings at which a generation is cut, one after the other, as MUSE cuts its answers: a model shown
questions and answers goes on to ask itself the next one. An empty generation scores 0. A reference without any letter
or digit is left out; MUSE gives it 0, so that a set with one cannot reach 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from blur.core.settings import Flag
from blur.metrics import rouge
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, mean_of


class Metric(MetricBase):
    """ROUGE-L F1 of the generations of a set."""

    direction: ClassVar[Direction] = "higher"
    set: str
    stemmer: Flag = False
    stop: tuple[str, ...] = ()

    def reads(self) -> Reads:
        """Return what it looks up."""
        return Reads(generations=frozenset([self.set]))

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean ROUGE-L F1; see the module."""
        rows = context.measured.generations(self.set)
        scores = {row.id: rouge.f1(row.reference, cut(row.generated, self.stop), self.stemmer) for row in rows}
        return mean_of({self.set: scores}, self.direction)


def cut(text: str, stops: Sequence[str]) -> str:
    """Return ``text`` up to the first of each stop, in the order of ``stops``."""
    for stop in stops:
        text = text.split(stop)[0]
    return text
