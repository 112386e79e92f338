"""ROUGE-L recall of the greedy answer: longest common subsequence over the number of words of the true answer.

Source: TOFU (arXiv 2401.06121), section 2.2, as ``rouge_score`` gives it (stemmer on) to TOFU and open-unlearning;
lower case, words of letters and digits, averaged over items. Range [0, 1]; higher means better known. Both texts are
stripped of nothing else. It compares words, so no end-of-sequence token is involved. Precision does not count: a model
that repeats the whole training set scores 1, which is what ``repetition`` is there to show.
An answer without any letter or digit cannot be recalled and is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.metrics import rouge
from blur.metrics.kinds.base import OfAnswers

if TYPE_CHECKING:
    from blur.measurements import GenerationRow


class Metric(OfAnswers):
    """ROUGE-L recall of the generations of a set."""

    def score(self, answer: GenerationRow) -> float | None:
        """Return its recall; None where the true answer has no word."""
        return rouge.recall(answer.reference, answer.generated, stemmer=True)
