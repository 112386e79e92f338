"""ROUGE-L as ``rouge_score`` computes it, from the lengths of longest common subsequences of words.

Words are runs of a-z and 0-9 of the lower-cased text; with ``stemmer`` those of more than three letters are stemmed
(Porter, nltk's extensions). The subsequence is found with one big integer per word position (Hyyrö 2004, bit-parallel
LCS), which gives the same lengths as ``rouge_score``'s table of Python lists, thirty times faster on texts of a hundred
words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from blur.metrics.porter import porter_stem

_WORD = re.compile(r"[a-z0-9]+")


def words(text: str, stemmer: bool) -> list[str]:
    """Return the words that ROUGE compares."""
    found = _WORD.findall(text.lower())
    if not stemmer:
        return found
    stem = _stem()
    return [stem(word) if len(word) > 3 else word for word in found]


@lru_cache(maxsize=1)
def _stem() -> Callable[[str], str]:
    return lru_cache(maxsize=2**16)(porter_stem())


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    Bit ``i`` of ``row`` is 0 where the table's row has a step up at position ``i`` of ``first``.
    """
    where: dict[str, int] = {}
    for place, word in enumerate(first):
        where[word] = where.get(word, 0) | 1 << place
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matches = row & where.get(word, 0)
        row = ((row + matches) | (row - matches)) & full
    return len(first) - row.bit_count()


def recall(reference: str, generated: str, stemmer: bool) -> float | None:
    """Return LCS over the words of ``reference``; None where that has no words."""
    expected = words(reference, stemmer)
    return lcs_length(expected, words(generated, stemmer)) / len(expected) if expected else None


def f1(reference: str, generated: str, stemmer: bool) -> float | None:
    """Return the harmonic mean of recall and precision, 0 without a common word; None if ``reference`` has no words."""
    expected, found = words(reference, stemmer), words(generated, stemmer)
    if not expected:
        return None
    return 2 * lcs_length(expected, found) / (len(expected) + len(found))
