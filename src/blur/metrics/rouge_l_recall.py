"""ROUGE-L recall of the greedy answer: longest common subsequence over the number of words of the true answer.

Source: TOFU (arXiv 2401.06121), section 2.2, with ``rouge_score`` (stemmer on), as TOFU and open-unlearning call it;
lower case, words of letters and digits, averaged over items. Range [0, 1]; higher means better known. Both texts are
stripped of nothing else. It compares words, so no end-of-sequence token is involved. Precision does not count: a model
that repeats the whole training set scores 1, which is what ``repetition`` is there to show.
An answer without any letter or digit cannot be recalled and is left out.
"""

from __future__ import annotations

from blur.metrics.base import Direction, Metric, MetricContext, mean_of

DIRECTION: Direction = "higher"


def compute(context: MetricContext, set: str) -> Metric:
    """Return the mean ROUGE-L recall of the generations of ``set``; see the module."""
    rows = context.measured.generations(set)
    scores = rouge_l_recalls([row.reference for row in rows], [row.generated for row in rows])
    return mean_of({set: {row.id: score for row, score in zip(rows, scores, strict=True)}}, DIRECTION)


def rouge_l_recalls(references: list[str], generated: list[str]) -> list[float | None]:
    """Return the recall of each pair; None for a reference without words."""
    from rouge_score.rouge_scorer import RougeScorer  # 1.5 s: it imports all of nltk, and scipy.stats with it

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    return [
        float(scorer.score(reference, text)["rougeL"].recall) if any(map(_counts, reference.lower())) else None
        for reference, text in zip(references, generated, strict=True)
    ]


def _counts(character: str) -> bool:
    return character.isascii() and character.isalnum()
