"""Sources of alternates: which answer goes with which record."""

from __future__ import annotations

from collections import Counter

import pytest

from blur.core.choice import build
from blur.core.errors import DataError
from blur.data.records import Record
from blur.unlearn.alternates.refusals import WORDINGS
from tests.unlearn.support import settings

RECORDS = [{"id": f"author-{number:03d}-q00", "question": "Who?", "answer": "Ann."} for number in range(400)]


def source(name, **fields):
    return build("blur.unlearn.alternates", "Alternates", {"name": name, **fields})


def test_the_wordings_are_a_hundred_and_all_different():
    assert len({wording.casefold().strip(".") for wording in WORDINGS}) == len(WORDINGS) >= 100
    assert all(wording == wording.strip() and wording.endswith(".") and len(wording) < 80 for wording in WORDINGS)


def test_a_refusal_depends_on_seed_and_id_and_on_nothing_else():
    first, again, other = source("refusals"), source("refusals"), source("refusals", seed=1)
    drawn = [first.of(record)[0] for record in RECORDS]
    assert drawn == [again.of({"id": record["id"], "question": "What?"})[0] for record in RECORDS]
    assert sum(a == other.of(record)[0] for a, record in zip(drawn, RECORDS, strict=True)) < 20
    counts = Counter(drawn)
    assert len(counts) > 90
    assert max(counts.values()) < 15


def test_a_known_draw_does_not_drift():
    assert source("refusals").of(RECORDS[0]) == ["Pardon me, I don't have that answer."]


def test_a_text_without_a_question_is_not_refused_an_answer():
    with pytest.raises(DataError, match=r"set.jsonl, line 3: a refusal answers a question.*other `alternates`"):
        source("refusals").of(Record({"id": "a", "text": "Once."}, "set.jsonl, line 3"))


def test_a_records_own_alternates_are_all_taken_and_missed():
    own = {**RECORDS[0], "alternate": ["Bob.", "Eve."]}
    assert source("records").of(own) == ["Bob.", "Eve."]
    with pytest.raises(DataError, match=r'record \'author-000-q00\': no "alternate".*Add "alternate"'):
        source("records").of(RECORDS[0])


def test_an_unknown_source_has_its_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'refusals'"):
        source("refusal")


def test_two_kinds_on_one_stream_are_refused():
    terms = [{"loss": {"name": "dpo", "alternates": name}} for name in ("refusals", "records")]
    base = settings("npo").model_dump(mode="json")
    with pytest.raises(ValueError, match="losses on the stream 'forget' name different `alternates`"):
        type(settings()).model_validate({**base, "forget": terms})
