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

from blur.core.errors import DataError
from blur.core.settings import Count
from blur.metrics.kinds.base import Direction, Metric, MetricContext, Reads, mean_of

DIRECTION: Direction = "lower"
WORD = re.compile(r"\w+|[^\w\s]")


def reads(sets: list[str]) -> Reads:
    """Return what it looks up."""
    return Reads(generations=frozenset(sets))


def compute(context: MetricContext, sets: list[str], n: Count = 4) -> Metric:
    """Return the mean share of repeated ``n``-grams over the generations of ``sets``; see the module."""
    rows = {name: context.measured.generations(name) for name in sets}
    if not sets:
        raise DataError("repetition needs at least one set", f"metric {context.name}")
    grams = {name: {row.id: ngrams(row.generated, n) for row in rows[name]} for name in sets}
    every = [row for name in sets for row in rows[name]]
    pooled = [gram for texts in grams.values() for found in texts.values() for gram in found]
    details = {
        "distinct": 1.0 - repeated_share(pooled),
        "empty": sum(not row.generated.strip() for row in every) / len(every),
        "unfinished": sum(not row.finished for row in every) / len(every),
        "mean_tokens": sum(row.num_tokens for row in every) / len(every),
    }
    items = {name: {item: repeated_share(found) for item, found in texts.items()} for name, texts in grams.items()}
    return mean_of(items, DIRECTION, details)


def ngrams(text: str, n: int) -> list[tuple[str, ...]]:
    """Return the ``n``-grams over words and punctuation marks, in order."""
    words = WORD.findall(text)
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def repeated_share(grams: Sequence[tuple[str, ...]]) -> float:
    """Return ``1 - distinct / all``; 0 where there is none."""
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0
