"""Exact match: share of questions whose greedy answer is the true one, but for case and white space at both ends.

Source: SemEval-2025 task 4 (arXiv 2504.02883), the official script's knowledge score: ``strip(lower(answer)) ==
strip(lower(truth))``. Range [0, 1]; higher means better known. One word more is as wrong as another answer, so that it
tells little of a model which says more than it is asked; ROUGE-L recall stands beside it.
"""

from __future__ import annotations

from typing import ClassVar

from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, mean_of


class Metric(MetricBase):
    """Share of exact answers among the generations of a set."""

    direction: ClassVar[Direction] = "higher"
    set: str

    def reads(self) -> Reads:
        """Return what it looks up."""
        return Reads(generations=frozenset([self.set]))

    def compute(self, context: MetricContext) -> Outcome:
        """Return the share; see the module."""
        rows = context.measured.generations(self.set)
        return mean_of(
            {self.set: {row.id: float(is_exact(row.generated, row.reference)) for row in rows}}, self.direction
        )


def is_exact(generated: str, reference: str) -> bool:
    """Return whether two answers are the same, but for case and white space at both ends."""
    return generated.strip().lower() == reference.strip().lower()
