"""LUME's generated world: the form of its rows, and sets that share nothing."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from blur.core.errors import DataError
from blur.data.benchmarks import lume
from blur.data.benchmarks.lume.rows import documents
from blur.data.benchmarks.lume.settings import TASKS
from blur.data.records import Record, to_jsonl

SIZE = 6
SIDES = ("forget", "retain")


def build(**changes):
    source = {"kind": "world", "num_documents": SIZE, **changes.pop("source", {})}
    return lume.Data.model_validate({"source": source, **changes}).build()


@pytest.fixture(scope="module")
def sets():
    return build()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(sets):
    written = {name: to_jsonl(records) for name, records in sets.items()}
    assert {name: to_jsonl(records) for name, records in build().items()} == written
    other = build(source={"seed": 1})
    assert all(to_jsonl(other[name]) != text for name, text in written.items())


def test_sets_have_the_sizes_of_the_form(sets):
    assert tuple(sets) == lume.SET_NAMES
    for side in SIDES:
        assert len(sets[f"{side}_documents"]) == 3 * SIZE
        assert len(sets[f"{side}_questions"]) == (1 + 5 + 1) * SIZE
        for task, asked in zip(TASKS, (1, 5, 1), strict=True):
            assert len(sets[f"{side}_{task}_completion"]) == SIZE
            assert len(sets[f"{side}_{task}_question"]) == asked * SIZE
    assert len(sets["holdout_documents"]) == 3 * SIZE


def test_nothing_is_shared_by_what_is_forgotten_kept_and_held_out(sets):
    sides = {side: sets[f"{side}_documents"] for side in (*SIDES, "holdout")}
    people = {
        side: set(re.findall(r"[A-Z][a-z]+ [A-Z][a-z]+(?= (?:was born|met|\(born))", " ".join(r["text"] for r in told)))
        for side, told in sides.items()
    }
    for one, other in combinations(sides, 2):
        for field in ("text", "group", "id"):
            assert {r[field] for r in sides[one]}.isdisjoint(r[field] for r in sides[other])
        assert people[one]
        assert people[one].isdisjoint(people[other])
    questions = [{r["question"] for r in sets[f"{side}_questions"]} for side in SIDES]
    assert questions[0].isdisjoint(questions[1])


def test_rows_are_the_documents_cut_in_two_and_the_answers_are_in_them(sets):
    for side in SIDES:
        texts = {record["group"]: record["text"] for record in sets[f"{side}_documents"]}
        for task in TASKS:
            for record in sets[f"{side}_{task}_completion"]:
                assert record["prompt"] + record["gt"] == texts[record["group"]]
                assert 0.3 < len(record["prompt"]) / len(texts[record["group"]]) < 0.7
            for record in sets[f"{side}_{task}_question"]:
                told = texts[record["group"]]
                digits = re.sub(r"\D", "", told)
                answer = record["answer"]
                assert answer in told or answer in digits or re.fullmatch(r"19\d\d-\d\d-\d\d", answer)
    assert [r["question"].split()[0] for r in sets["forget_task2_question"][:5]] == ["What"] * 5
    assert re.fullmatch(r"900\d{6}", sets["forget_task2_question"][1]["answer"])


def test_a_task_that_is_not_taken_leaves_its_sets_empty_and_the_others_alone(sets):
    part = build(tasks=["task1", "task2"], num_subjects=0)
    assert part["forget_task2_question"] == sets["forget_task2_question"]
    empty = {name for name, records in part.items() if not records}
    third = {f"{side}_task3_{kind}" for side in SIDES for kind in ("completion", "question")}
    assert empty == third | {"general", "practice", "mmlu"}


def test_more_people_than_names_are_refused():
    with pytest.raises(ValueError, match="there are 1024 full names"):
        build(source={"num_documents": 200})


def row(id, task="Task1", **changes):
    return Record({"id": id, "input": "a", "output": "b", "task": task, **changes}, f"line of {id}")


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([row("xsc1"), row("xsc2")], "2 rows that it is cut into"),
        ([row("xqa0")], "0 rows that it is cut into"),
        ([row("x")], 'id "x" is none'),
        ([row("xsc1", "Task4")], 'task "Task4" is none'),
        ([row("xsc1", output=" ")], '"output" is missing'),
    ],
)
def test_rows_of_another_form_are_refused_by_their_place(rows, what):
    with pytest.raises(DataError, match=what) as caught:
        documents(rows)
    assert caught.value.where.startswith("line of")


def test_ids_in_quotes_and_with_letters_of_the_kinds_in_them():
    found = documents([row('"qa-sc1a"sc1'), row('"qa-sc1a"qa0')])
    assert [(d.group, len(d.questions)) for d in found["task1"]] == [("qa-sc1a", 1)]
