import json
from pathlib import Path

import pytest

from blur.data.benchmarks.tofu import Data
from blur.data.checks import normalise

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "data" / "tofu"
pytestmark = [pytest.mark.shared, pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the real TOFU files")]


def rows(name):
    return [json.loads(line) for line in (FOLDER / f"{name}.json").read_text(encoding="utf-8").splitlines()]


def build(split="forget10", limit=None, **source):
    source = {"kind": "local", "path": str(FOLDER), **source}
    return Data.model_validate({"source": source, "split": split, "max_eval_retain": limit}).build()


@pytest.mark.parametrize(("percent", "authors"), [(1, 2), (5, 10), (10, 20)])
def test_published_splits_pass_all_checks_and_are_slices_of_full(percent, authors):
    sets, full = build(f"forget{percent:02d}"), rows("full")
    plain = [{"question": r["question"], "answer": r["answer"]} for r in sets["retain"] + sets["forget"]]
    assert plain == full
    assert len(sets["forget"]) == len(sets["eval_forget"]) == 20 * authors
    assert sets["forget"][0]["group"] == f"author-{200 - authors:04d}"
    assert len(sets["eval_retain"]) == 400
    assert (len(sets["real_authors"]), len(sets["world_facts"]), len(sets["general"])) == (100, 117, 217)


def test_the_only_question_asked_twice_is_within_retain():
    questions = [normalise(row["question"]) for row in rows("full")]
    twice = [i for i, question in enumerate(questions) if questions.count(question) > 1]
    assert twice == [100, 440]


def test_twenty_authors_for_a_cpu():
    sets = build(num_authors=20, num_holdout_authors=8, limit=100)
    authors = {name: sorted({record["group"] for record in sets[name]}) for name in ("forget", "retain", "holdout")}
    assert authors["forget"] == ["author-0198", "author-0199"]
    assert authors["retain"] == [f"author-{i:04d}" for i in range(18)]
    assert authors["holdout"] == [f"author-{i:04d}" for i in range(190, 198)]
    assert [len(sets[name]) for name in ("forget", "retain", "holdout", "eval_retain")] == [40, 360, 160, 100]
    assert {record["group"] for record in sets["eval_retain"]} == set(authors["retain"])
    assert all(len(r["perturbed_answer"]) == 5 for r in sets["eval_forget"] + sets["eval_retain"])
