"""Repetition: share of repeated n-grams in a generated text, ``1 - distinct n-grams / n-grams``, averaged over items.

Source: Welleck et al. (arXiv 1908.04319), seq-rep-n with n = 4, over words and punctuation marks (their tokens).
Range [0, 1); a collapse indicator, lower is better, natural text is near 0. A text with fewer than n words repeats
nothing and scores 0; as that is also what a model that answers nothing gets, ``details`` holds the share of
generations that are ``empty`` or ``unfinished`` (no end-of-sequence token within the limit), the mean number of
tokens, and ``distinct``, the share of distinct n-grams over all generations together. The end-of-sequence token is no
word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from blur.core.settings import Count
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, mean_of

WORD = re.compile(r"\w+|[^\w\s]")


class Metric(MetricBase):
    """Repetition in the generations of sets."""

    direction: ClassVar[Direction] = "lower"
    sets: tuple[str, ...] = Field(min_length=1)
    n: Count = 4

    def reads(self) -> Reads:
        """Return what it looks up."""
        return Reads(generations=frozenset(self.sets))

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean share of repeated ``n``-grams; see the module."""
        rows = {name: context.measured.generations(name) for name in self.sets}
        grams = {name: {row.id: ngrams(row.generated, self.n) for row in rows[name]} for name in self.sets}
        every = [row for name in self.sets for row in rows[name]]
        pooled = [gram for texts in grams.values() for found in texts.values() for gram in found]
        details = {
            "distinct": 1.0 - repeated_share(pooled),
            "empty": sum(not row.generated.strip() for row in every) / len(every),
            "unfinished": sum(not row.finished for row in every) / len(every),
            "mean_tokens": sum(row.num_tokens for row in every) / len(every),
        }
        items = {name: {item: repeated_share(found) for item, found in texts.items()} for name, texts in grams.items()}
        return mean_of(items, self.direction, details)


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """Return the ``n``-grams over words and punctuation marks, in order."""
    words = WORD.findall(text)
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def repeated_share(grams: Sequence[tuple[str, ...]]) -> float:
    """Return ``1 - distinct / all``; 0 where there is none."""
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0
