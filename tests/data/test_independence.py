"""What sets may not share, and what a training may not ask."""

from __future__ import annotations

import pytest

from blur.core.errors import DataError
from blur.data.independence import as_words, check_independent, check_unasked
from blur.data.records import Record


def text(name, text, group="nobody"):
    return Record({"id": name, "text": text, "group": f"{group} {name}"}, f"{name}.jsonl, line 3")


def fault(left, right, check=check_independent):
    with pytest.raises(DataError) as caught:
        check({"left": left, "right": right}, "left", "right", "Remove it")
    return caught.value


def test_sets_that_share_nothing_pass_and_so_do_empty_ones():
    sets = {"left": [text("a", "One.")], "right": [text("b", "Two.")], "none": []}
    check_independent(sets, "left", "right", "")
    check_independent(sets, "left", "none", "")
    check_independent(sets, "none", "left", "")


def test_a_shared_group_and_a_shared_text_are_named_with_both_places():
    error = fault(
        [Record({"id": "a", "text": "x", "group": "Ada Li"}, "f, line 1")], [{"text": "y", "group": "ada  li"}]
    )
    assert error.what == "the group is also in set 'left', f, line 1"
    assert (error.where, error.remedy) == ("set 'right', record 1", "Remove it")
    assert "the text is also in" in fault([text("a", "One.")], [text("b", "one.")]).what


@pytest.mark.parametrize("field", ["question", "text", "prompt", "gt"])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_mention_in_any_field_and_either_direction(field, swapped):
    named = [Record({"id": "a", "text": "x", "group": "Ada Li"}, "f, line 1")]
    told = [{"id": "b", "group": "c"}, {"id": "c", field: "They know that ADA\nLi's cat purrs.", "group": "d"}]
    error = fault(told, named) if swapped else fault(named, told)
    names = ("right", "left") if swapped else ("left", "right")
    assert error.what == f"the group of set '{names[0]}', f, line 1 is mentioned"
    assert error.where == f"set '{names[1]}', record 2"


def test_a_mention_is_made_of_whole_words_punctuation_aside():
    named = {"id": "a", "text": "x", "group": "Ada Li"}
    for told in ("Nada Li met Ada Lima.", "Ada and Li met.", "Li, Ada"):
        check_independent({"left": [named], "right": [text("b", told)]}, "left", "right", "")
    for told in ("Then: Ada Li.", "(Ada Li)", "Ada, Li", "ada li"):
        assert "is mentioned" in fault([named], [text("b", told)]).what


def test_records_without_a_group_mention_nothing():
    check_independent({"left": [{"id": "a", "text": "x"}], "right": [{"id": "b", "text": "y"}]}, "left", "right", "")
    assert as_words("") == as_words(" .") == "  "
    assert as_words("Çağlar's cat") == " çağlar s cat "


@pytest.mark.parametrize("field", ["question", "text", "prompt"])
def test_a_question_within_a_training_text_up_to_space_and_case(field):
    asked = [Record({"id": "q", "question": "When was Ada born?"}, "q.jsonl, line 5")]
    trained = [text("t", "Ada was born in 1960."), {"id": "u", field: "Question: when was\tAda  born?\nAnswer:"}]
    error = fault(asked, trained, check_unasked)
    assert error.what == "the question of set 'left', q.jsonl, line 5 is asked"
    assert error.where == "set 'right', record 2"
    check_unasked({"left": asked, "right": trained[:1]}, "left", "right", "")
