"""ROUGE-L recall and repetition."""

from __future__ import annotations

import pytest

from blur.core.errors import BlurError
from blur.metrics.repetition import ngrams, repeated_share
from blur.metrics.rouge_l_recall import rouge_l_recalls
from tests.metrics.builders import compute, measured, said


def lcs_recall(reference: str, generated: str) -> float:
    """ROUGE-L recall without stemmer, by recursion."""
    a, b = reference.lower().split(), generated.lower().split()

    def longest(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        return 1 + longest(i + 1, j + 1) if a[i] == b[j] else max(longest(i + 1, j), longest(i, j + 1))

    return longest(0, 0) / len(a)


@pytest.mark.parametrize(
    ("reference", "generated"),
    [("the cat sat on the mat", "on the mat the cat sat"), ("a b c d", "d c b a"), ("a b a b", "b a b a b x y z")],
)
def test_rouge_equals_an_independent_longest_common_subsequence(reference: str, generated: str) -> None:
    assert rouge_l_recalls([reference], [generated]) == [pytest.approx(lcs_recall(reference, generated))]


def test_rouge_is_recall_stemmed_and_blind_to_case_and_punctuation() -> None:
    assert rouge_l_recalls(["She writes stories."], ["she is WRITING story, they say"]) == [pytest.approx(1.0)]
    assert rouge_l_recalls(["one two three four"], ["one two"]) == [0.5]
    assert rouge_l_recalls(["one two"], ["one two three four"]) == [1.0]


def test_rouge_of_empty_texts() -> None:
    model = measured(said("a", "", "yes"), said("b", "anything", "..."))
    metric = compute("rouge_l_recall", model, set="s")
    assert metric.items == {"s": {"a": 0.0}}
    assert metric.details == {"skipped": 1.0}


def test_rouge_of_a_missing_set_is_an_error() -> None:
    with pytest.raises(BlurError, match="no generations"):
        compute("rouge_l_recall", measured(), set="s")


def test_repetition_by_hand() -> None:
    model = measured(said("loop", "a b a b a b a b"), said("fine", "one two three four five", set="t", finished=False))
    metric = compute("repetition", model, sets=["s", "t"])
    assert metric.items == {"s": {"loop": pytest.approx(1 - 2 / 5)}, "t": {"fine": 0.0}}
    assert metric.value == pytest.approx(0.3)
    assert metric.details == {"distinct": pytest.approx(4 / 7), "empty": 0.0, "unfinished": 0.5, "mean_tokens": 6.5}


def test_repetition_counts_punctuation_as_words() -> None:
    assert repeated_share(ngrams("?" * 20, 4)) == pytest.approx(1 - 1 / 17)
    assert ngrams("Yes, no.", 4) == [("Yes", ",", "no", ".")]


def test_a_model_that_answers_nothing_shows_in_the_details() -> None:
    metric = compute("repetition", measured(said("a", " "), said("b", "word")), sets=["s"])
    assert metric.value == 0.0
    assert metric.details["empty"] == 0.5


def test_repetition_without_sets_is_an_error() -> None:
    with pytest.raises(BlurError, match="at least one set"):
        compute("repetition", measured(), sets=[])
