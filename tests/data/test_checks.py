import pytest

from blur.core.errors import DataError
from blur.data.checks import check_sets
from blur.data.records import Record


def qa(name, **fields):
    return Record({"id": name, "question": f"Q {name}?", "answer": f"A {name}.", **fields}, f"{name}.json, line 7")


def sets(**changes):
    base = {"forget": [qa("f")], "retain": [qa("r")], "holdout": [qa("h")], "general": [qa("g")]}
    return {**base, **changes}


def fault(required=(), **changes):
    with pytest.raises(DataError) as caught:
        check_sets(sets(**changes), required)
    return caught.value


def test_disjoint_sets_pass():
    check_sets(sets(), ["forget", "retain"])


@pytest.mark.parametrize("changes", [{"forget": []}, {"retain": []}])
def test_empty_split(changes):
    (name,) = changes
    error = fault(required=["forget", "retain"], **changes)
    assert (error.what, error.where) == ("no records", f"set {name!r}")
    assert "number of authors" in error.remedy


def test_missing_set_counts_as_empty():
    with pytest.raises(DataError, match="set 'eval_forget': no records"):
        check_sets(sets(), ["eval_forget"])


@pytest.mark.parametrize("kept", ["retain", "general"])
def test_forget_overlaps_training_up_to_space_and_case(kept):
    error = fault(**{kept: [qa("r"), qa("x", question="  q\tF? ")]})
    assert error.where == f"set '{kept}', x.json, line 7"
    assert error.what == "the question is also in set 'forget', f.json, line 7"
    assert error.remedy == "Remove it from one of the two sets: a text cannot be both forgotten and kept"


def test_shared_group():
    error = fault(forget=[qa("f", group="Author 1")], retain=[qa("r", group="author 1")])
    assert error.what == "the group is also in set 'forget', f.json, line 7"


@pytest.mark.parametrize("other", ["forget", "retain", "general"])
def test_holdout_overlaps_training(other):
    error = fault(**{other: [qa("h2", question="Q h?")]})
    assert error.where == f"set '{other}', h2.json, line 7"
    assert "also in set 'holdout', h.json, line 7" in error.what
    assert "membership tests need texts outside both trainings" in error.remedy


def test_the_same_question_twice_within_retain_is_allowed_as_in_tofu():
    check_sets(sets(retain=[qa("r"), qa("r2", question="Q r?")]), ["retain"])


@pytest.mark.parametrize("field", ["answer", "paraphrased_answer"])
def test_perturbed_equals_right_answer(field):
    record = qa("e", paraphrased_answer="P e.", perturbed_answer=["no", "A  E." if field == "answer" else "p e."])
    error = fault(eval_forget=[record])
    assert error.what == f'perturbed_answer[1] equals "{field}"'
    assert error.where == "set 'eval_forget', e.json, line 7"
    assert error.remedy == "Give a wrong answer"


@pytest.mark.parametrize(
    ("record", "field"), [({"answer": "A."}, "answer"), ({"text": "A."}, "text"), ({"prompt": "P", "gt": "A."}, "gt")]
)
def test_an_alternate_is_another_answer(record, field):
    fields = {key: value for key, value in qa("r").items() if key not in ("question", "answer")}
    asked = {"question": "Q r?"} if field == "answer" else {}
    error = fault(retain=[{**fields, **asked, **record, "alternate": ["B.", " a. "]}])
    assert error.what == f'alternate[1] equals "{field}"'
    assert error.remedy == "Give another answer"


def test_duplicate_id_and_records_without_a_file():
    error = fault(retain=[{"id": "r", "text": "a"}, {"id": "r", "text": "b"}])
    assert error.where == "set 'retain', record 2"
    assert error.what == "id \"r\" is also that of set 'retain', record 1"


def test_texts_overlap_too():
    error = fault(forget=[{"id": "a", "text": "One two"}], retain=[{"id": "b", "text": "one  TWO"}])
    assert error.what.startswith("the text is also in")
