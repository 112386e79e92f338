"""The stemmer is nltk's own, and the rest of nltk is not imported for it."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pydoc_data.topics import topics

import pytest
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer

from blur.metrics.rouge import f1, recall, words


def in_new_process(code: str, text: str = "") -> str:
    """The process of a test has nltk imported already, for the comparison."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.strip()


def test_only_the_stemmer_is_imported_and_all_of_nltk_can_be_after_it() -> None:
    code = (
        "import sys\nfrom blur.metrics.porter import porter_stem\nstem = porter_stem()\n"
        "print(*[stem(word) for word in ('flies', 'dying', 'relational')])\n"
        "print([name for name in sys.modules if name.startswith('nltk')], len(sys.modules) < 250)\n"
        "from nltk.stem import SnowballStemmer\nprint(SnowballStemmer('english').stem('running'))\n"
        "print(porter_stem()('flies'))\n"
    )
    assert in_new_process(code).split("\n") == ["fli die relat", "[] True", "run", "fli"]


def test_every_word_of_a_long_text_is_stemmed_as_by_nltk() -> None:
    vocabulary = sorted({word for text in topics.values() for word in words(text, stemmer=False)})
    assert len(vocabulary) > 3000
    code = (
        "import sys, json\nfrom blur.metrics.porter import porter_stem\nstem = porter_stem()\n"
        "print(json.dumps([stem(word) for word in json.load(sys.stdin)]))"
    )
    stemmed = json.loads(in_new_process(code, json.dumps(vocabulary)))
    assert stemmed == list(map(PorterStemmer().stem, vocabulary))
    assert stemmed != list(map(PorterStemmer(PorterStemmer.ORIGINAL_ALGORITHM).stem, vocabulary))


def test_paragraphs_are_scored_as_by_rouge_score() -> None:
    found = [part for text in topics.values() for part in text.split("\n\n") if len(part.split()) > 30]
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    for reference, generated in pairwise(found[:81]):
        expected = scorer.score(reference, generated)["rougeL"]
        assert recall(reference, generated, stemmer=True) == pytest.approx(expected.recall, abs=1e-12)
        assert f1(reference, generated, stemmer=True) == pytest.approx(expected.fmeasure, abs=1e-12)
