"""ROUGE-L recall and F1, and repetition."""

from __future__ import annotations

import random

import pytest
from rouge_score.rouge_scorer import RougeScorer

from blur.core.errors import BlurError
from blur.metrics.kinds.repetition import ngrams, repeated_share
from blur.metrics.kinds.rouge_l_f1 import cut
from blur.metrics.rouge import f1, lcs_length, recall, words
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
    assert recall(reference, generated, stemmer=False) == pytest.approx(lcs_recall(reference, generated))


def test_rouge_is_recall_stemmed_and_blind_to_case_and_punctuation() -> None:
    assert recall("She writes stories.", "she is WRITING story, they say", stemmer=True) == pytest.approx(1.0)
    assert recall("one two three four", "one two", stemmer=True) == 0.5
    assert recall("one two", "one two three four", stemmer=True) == 1.0


def test_rouge_of_empty_texts() -> None:
    model = measured(said("a", "", "yes"), said("b", "anything", "..."))
    metric = compute("rouge_l_recall", model, set="s")
    assert metric.items == {"s": {"a": 0.0}}
    assert metric.details == {"skipped": 1.0}


def test_rouge_of_a_missing_set_is_an_error() -> None:
    with pytest.raises(BlurError, match="no generations"):
        compute("rouge_l_recall", measured(), set="s")


SYLLABLES = ["writing", "writes", "The", "ponies", "relational", "dying", "é", "naïve", "can't", "x1", "7", "--", "\n"]
EDGES = ["", " ", "...", "a", "A a a", "\u0130stanbul ſure", "über_all x_y", "12,5%", "the " * 70]


@pytest.mark.parametrize("stemmer", [False, True])
def test_rouge_equals_rouge_score_on_random_and_odd_texts(stemmer: bool) -> None:
    draw = random.Random(0)
    texts = EDGES + [" ".join(draw.choices(SYLLABLES, k=draw.randint(1, 90))) for _ in range(60)]
    pairs = [(one, other) for one in texts[:12] for other in texts[:12]] + list(zip(texts, texts[::-1], strict=True))
    scorer = RougeScorer(["rougeL"], use_stemmer=stemmer)
    compared = 0
    for reference, generated in pairs:
        expected = scorer.score(reference, generated)["rougeL"]
        if words(reference, stemmer):
            assert recall(reference, generated, stemmer) == pytest.approx(expected.recall, abs=1e-12)
            assert f1(reference, generated, stemmer) == pytest.approx(expected.fmeasure, abs=1e-12)
            compared += 1
        else:
            assert recall(reference, generated, stemmer) is f1(reference, generated, stemmer) is None
    assert compared > 100


def test_lcs_of_texts_longer_than_a_machine_word() -> None:
    draw = random.Random(1)
    for _ in range(40):
        one, other = (draw.choices("abcd", k=draw.randint(0, 200)) for _ in range(2))
        row = [0] * (len(other) + 1)
        for first in one:
            before, row = row, [0]
            for place, second in enumerate(other):
                row.append(before[place] + 1 if first == second else max(before[place + 1], row[-1]))
        assert lcs_length(one, other) == row[-1] == lcs_length(other, one)


def test_f1_is_unstemmed_by_default_and_stemmed_on_demand() -> None:
    model = measured(said("a", "she writes", "She is writing"))
    assert compute("rouge_l_f1", model, set="s").value == pytest.approx(2 * 1 / (3 + 2))
    assert compute("rouge_l_f1", model, set="s", stemmer=True).value == pytest.approx(2 * 2 / (3 + 2))


MUSE_STOPS = ["\n\n", "\nQuestion", "Question:"]


def test_generation_is_cut_where_muse_cuts_it() -> None:
    assert cut("Rome.\nQuestion: Who?\nAnswer: Ann", MUSE_STOPS) == "Rome."
    assert cut("Rome.\n\nParis", MUSE_STOPS) == "Rome."
    assert cut("Rome. Question: Who", MUSE_STOPS) == "Rome. "
    assert cut("a Question: b\n\nc", MUSE_STOPS) == "a "
    assert cut("Rome", MUSE_STOPS) == cut("Rome", []) == "Rome"
    model = measured(said("a", " Rome\nQuestion: Who is in Rome?", "Rome"))
    assert compute("rouge_l_f1", model, set="s", stop=MUSE_STOPS).value == 1.0
    assert compute("rouge_l_f1", model, set="s").value == pytest.approx(2 / 7)


def test_a_generation_that_begins_with_a_stop_says_nothing() -> None:
    model = measured(said("a", "\n\nRome", "Rome"), said("b", "", "Rome"), said("c", "Rome", "Rome"))
    metric = compute("rouge_l_f1", model, set="s", stop=MUSE_STOPS)
    assert metric.items == {"s": {"a": 0.0, "b": 0.0, "c": 1.0}}
    assert metric.value == pytest.approx(1 / 3)


def test_a_reference_without_words_is_left_out_unlike_muse() -> None:
    metric = compute("rouge_l_f1", measured(said("a", "x", "?!"), said("b", "x", "x")), set="s")
    assert (metric.value, metric.details) == (1.0, {"skipped": 1.0})
    only = compute("rouge_l_f1", measured(said("a", "x", "?!")), set="s")
    assert only.value is None


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
    with pytest.raises(BlurError, match=r"sets: .*at least 1 item"):
        compute("repetition", measured(), sets=[])
