"""Exact match: share of questions whose greedy answer is the true one, but for case and white space at both ends.

Source: SemEval-2025 task 4 (arXiv 2504.02883), the official script's knowledge score: ``strip(lower(answer)) ==
strip(lower(truth))``. Range [0, 1]; higher means better known. One word more is as wrong as another answer, so that it
tells little of a model which says more than it is asked; ROUGE-L recall stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.metrics.kinds.base import OfAnswers

if TYPE_CHECKING:
    from blur.measurements import GenerationRow


class Metric(OfAnswers):
    """Share of exact answers among the generations of a set."""

    def score(self, answer: GenerationRow) -> float:
        """Return 1 for an exact answer."""
        return float(is_exact(answer.generated, answer.reference))


def is_exact(generated: str, reference: str) -> bool:
    """Return whether two answers are the same, but for case and white space at both ends."""
    return generated.strip().lower() == reference.strip().lower()
