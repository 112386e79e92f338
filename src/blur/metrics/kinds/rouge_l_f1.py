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
from typing import TYPE_CHECKING

from blur.core.settings import Flag
from blur.metrics import rouge
from blur.metrics.kinds.base import OfAnswers

if TYPE_CHECKING:
    from blur.measurements import GenerationRow


class Metric(OfAnswers):
    """ROUGE-L F1 of the generations of a set."""

    stemmer: Flag = False
    stop: tuple[str, ...] = ()

    def score(self, answer: GenerationRow) -> float | None:
        """Return its F1; None where the reference has no word."""
        return rouge.f1(answer.reference, cut(answer.generated, self.stop), self.stemmer)


def cut(text: str, stops: Sequence[str]) -> str:
    """Return ``text`` up to the first of each stop, in the order of ``stops``."""
    for stop in stops:
        text = text.split(stop)[0]
    return text
