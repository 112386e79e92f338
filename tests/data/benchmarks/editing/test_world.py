"""The editing world: two tellings of the same people, and three options in one phrasing."""

from __future__ import annotations

import pytest

from blur.data.benchmarks.editing import SET_NAMES, Data


def build(**source):
    sizes = {"num_forget": 3, "num_edited": 4, "num_retain": 12}
    return Data.model_validate({"source": {"kind": "world", **sizes, **source}}).build()


@pytest.fixture(scope="module")
def sets():
    return build()


def test_sizes_and_the_same_world_for_the_same_seed(sets):
    assert {name: len(records) for name, records in sets.items()} == {
        **{"retain": 240, "edit_old": 80, "forget": 60, "edit_new": 80},
        **{"eval_retain": 240, "eval_edit_old": 80, "eval_forget": 60, "eval_edit_new": 80},
    }
    assert tuple(sets) == SET_NAMES
    assert build() == sets
    assert build(seed=1) != sets


def test_an_edited_person_is_told_twice_in_the_same_words_with_other_facts(sets):
    for old, new in zip(sets["edit_old"], sets["edit_new"], strict=True):
        assert (old["question"], old["group"], old["topic"]) == (new["question"], new["group"], new["topic"])
        assert old["answer"] != new["answer"]
        assert old["id"] != new["id"]


def test_who_is_forgotten_edited_or_kept_is_one_of_them_only(sets):
    groups = [{record["group"] for record in sets[name]} for name in ("retain", "forget", "edit_old")]
    assert [len(one) for one in groups] == [12, 3, 4]
    assert len(set.union(*groups)) == 19
    questions = [{record["question"] for record in sets[name]} for name in ("retain", "forget", "edit_old")]
    assert len(set.union(*questions)) == sum(map(len, questions))


def test_a_question_has_three_options_and_is_not_asked_in_training(sets):
    trained = {record["question"] for name in ("retain", "forget", "edit_old", "edit_new") for record in sets[name]}
    for name in ("forget", "retain", "edit_old", "edit_new"):
        for asked, told in zip(sets[f"eval_{name}"], sets[name], strict=True):
            assert len({asked["answer"], *asked["perturbed_answer"]}) == 3
            assert asked["question"] not in trained
            assert asked["id"] == told["id"]
            assert "perturbed_answer" not in told


def test_the_old_fact_and_the_new_one_are_options_of_both_questions(sets):
    for old, new in zip(sets["eval_edit_old"], sets["eval_edit_new"], strict=True):
        assert old["question"] == new["question"]
        assert old["perturbed_answer"] == [new["answer"], new["perturbed_answer"][1]]
        assert new["perturbed_answer"] == [old["answer"], old["perturbed_answer"][1]]


def test_chance_is_a_third_and_too_many_people_are_refused():
    data = Data.model_validate({"source": {"kind": "world"}})
    assert data.describe() == {"accuracy": 1 / 3}
    with pytest.raises(ValueError, match="full names"):
        build(num_retain=10**6)
