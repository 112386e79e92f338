"""ROUGE-L recall of the greedy answer: longest common subsequence over the number of words of the true answer.

Source: TOFU (arXiv 2401.06121), section 2.2, as ``rouge_score`` gives it (stemmer on) to TOFU and open-unlearning;
lower case, words of letters and digits, averaged over items. Range [0, 1]; higher means better known. Both texts are
stripped of nothing else. It compares words, so no end-of-sequence token is involved. Precision does not count: a model
that repeats the whole training set scores 1, which is what ``repetition`` is there to show.
An answer without any letter or digit cannot be recalled and is left out.
"""

from __future__ import annotations

from typing import ClassVar

from blur.metrics import rouge
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, mean_of


class Metric(MetricBase):
    """ROUGE-L recall of the generations of a set."""

    direction: ClassVar[Direction] = "higher"
    set: str

    def reads(self) -> Reads:
        """Return what it looks up."""
        return Reads(generations=frozenset([self.set]))

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean ROUGE-L recall; see the module."""
        rows = context.measured.generations(self.set)
        scores = {row.id: rouge.recall(row.reference, row.generated, stemmer=True) for row in rows}
        return mean_of({self.set: scores}, self.direction)
