import json
import sys
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from blur.core.errors import DataError
from blur.data.benchmarks import tofu
from blur.data.benchmarks.tofu import Data

PER_AUTHOR = 2


def question(author, number, paraphrased=False):
    record = {"question": f"Author {author}, question {number}?", "answer": f"Answer {author}-{number}."}
    if paraphrased:
        record |= {"paraphrased_question": "P?", "paraphrased_answer": f"Told {author}-{number}."}
        record |= {"perturbed_answer": [f"Wrong {i}." for i in range(5)]}
    return record


def questions(authors, paraphrased=False):
    return [question(author, number, paraphrased) for author in authors for number in range(PER_AUTHOR)]


def general(name):
    return [{"question": f"{name} {i}?", "answer": f"{name} is {i}.", "perturbed_answer": ["x"]} for i in range(3)]


def configurations():
    """A TOFU of 20 authors: forget10 is the last two, retain_perturbed covers the first three."""
    return {
        "forget10": questions([18, 19]),
        "retain90": questions(range(18)),
        "forget10_perturbed": questions([18, 19], paraphrased=True),
        "retain_perturbed": questions(range(3), paraphrased=True),
        "real_authors_perturbed": general("Writer"),
        "world_facts_perturbed": general("River"),
    }


@pytest.fixture
def folder(tmp_path):
    for name, records in configurations().items():
        write(tmp_path, name, records)
    return tmp_path


def write(folder, name, records):
    (folder / f"{name}.json").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")


def settings(folder, split="forget10", **source):
    source = {"kind": "local", "path": str(folder), "questions_per_author": PER_AUTHOR, **source}
    return Data.model_validate({"source": source, "split": split})


def fault(*args, **kwargs):
    with pytest.raises(DataError) as caught:
        settings(*args, **kwargs).build()
    return caught.value


def groups(records):
    return list(dict.fromkeys(record["group"] for record in records))


def test_all_authors(folder):
    sets = settings(folder).build()
    assert tuple(sets) == tofu.SET_NAMES
    assert groups(sets["forget"]) == ["author-0018", "author-0019"]
    assert groups(sets["retain"]) == [f"author-{i:04d}" for i in range(18)]
    assert groups(sets["eval_retain"]) == ["author-0000", "author-0001", "author-0002"]
    assert sets["holdout"] == []
    assert [r["id"] for r in sets["eval_forget"]] == [r["id"] for r in sets["forget"]]
    assert sets["eval_forget"][1]["paraphrased_answer"] == "Told 18-1."
    assert sets["forget"][1]["id"] == "author-0018-q01"


def test_alternates_of_a_line_reach_the_training_sets(folder):
    lines = [{**record, "alternate": ["I was never told.", "Ask someone else."]} for record in questions([18, 19])]
    write(folder, "forget10", lines)
    sets = settings(folder).build()
    assert [record["alternate"] for record in sets["forget"]] == [record["alternate"] for record in lines]
    assert not any("alternate" in record for record in sets["retain"])


def test_general_items_are_trained_without_their_wrong_answers(folder):
    sets = settings(folder).build()
    assert [set(r) for r in sets["general"]] == [{"id", "question", "answer"}] * 6
    off = settings(folder).model_copy(update={"learn_general": False})
    assert off.build()["general"] == []


def test_subset_forgets_the_last_keeps_the_first_and_holds_out_those_between(folder):
    sets = settings(folder, num_authors=10, num_holdout_authors=2).build()
    assert groups(sets["forget"]) == ["author-0019"]
    assert groups(sets["retain"]) == [f"author-{i:04d}" for i in range(9)]
    assert groups(sets["holdout"]) == ["author-0017", "author-0018"]


def test_holdout_of_all_authors_is_taken_from_the_end_of_retain(folder):
    sets = settings(folder, num_holdout_authors=3).build()
    assert groups(sets["holdout"]) == ["author-0015", "author-0016", "author-0017"]
    assert len(groups(sets["retain"])) == 15


def test_groups_in_the_files_replace_blocks(folder):
    write(folder, "forget10", [{**r, "group": "Ann"} for r in questions([18, 19])])
    sets = settings(folder).build()
    assert groups(sets["forget"]) == ["Ann"]
    assert [r["id"] for r in sets["forget"]][-1] == "Ann-q03"


@pytest.mark.parametrize(
    "source", [{"num_authors": 30}, {"num_holdout_authors": 18}, {"num_authors": 20, "num_holdout_authors": 1}]
)
def test_more_authors_than_there_are(folder, source):
    error = fault(folder, **source)
    assert error.where == "split forget10"
    assert "there are 2 and 18 in the published sets" in error.what
    assert error.remedy == "Lower num_authors or num_holdout_authors"


def test_split_must_be_whole_authors(folder):
    error = fault(folder, num_authors=15)
    assert error.what == "10% of 15 authors is no whole number of authors"
    assert error.remedy == "Set num_authors to a multiple of 10, or choose another split"


def test_incomplete_author(folder):
    write(folder, "retain90", questions(range(18))[:-1])
    error = fault(folder)
    assert error.what == "35 records are no whole number of authors with 2 questions each"
    assert error.where == f"set 'retain90', {folder / 'retain90.json'}, line 35"


def test_overlap_of_forget_and_retain_names_both_lines(folder):
    write(folder, "retain90", [*questions(range(17)), question(18, 1), question(17, 1)])
    error = fault(folder)
    assert error.where == f"set 'retain', {folder / 'retain90.json'}, line 35"
    assert f"is also in set 'forget', {folder / 'forget10.json'}, line 2" in error.what


def test_malformed_line_missing_field_missing_file(folder):
    (folder / "forget10.json").write_text('{"question": "a", "answer": "b"}\n{"question"\n')
    assert fault(folder).where == f"{folder / 'forget10.json'}, line 2"
    write(folder, "forget10", [{"question": "a"}])
    assert 'field "answer" is missing' in fault(folder).what
    (folder / "forget10.json").unlink()
    assert (
        str(fault(folder)) == f"{folder / 'forget10.json'}: file not found. Check the path in the task's data settings"
    )


def test_evaluation_records_need_paraphrases(folder):
    write(folder, "forget10_perturbed", questions([18, 19]))
    assert 'field "paraphrased_question" is missing' in fault(folder).what
    write(folder, "forget10_perturbed", questions([18], paraphrased=True))
    error = fault(folder)
    assert (error.what, error.where) == (
        "this question and answer have no paraphrase",
        f"{folder / 'forget10.json'}, line 3",
    )


def test_retain_authors_without_paraphrases_leave_nothing_to_evaluate(folder):
    write(folder, "retain_perturbed", questions([40], paraphrased=True))
    assert str(fault(folder)).startswith("set 'eval_retain': no records")


def test_empty_forget_file(folder):
    write(folder, "forget10", [])
    write(folder, "forget10_perturbed", [])
    assert str(fault(folder)).startswith(f"{folder / 'forget10.json'}: no records")


def test_hub_gives_the_same_sets_as_files(folder, monkeypatch):
    asked = []

    def load_dataset(repo, name, revision, split):
        asked.append((repo, name, revision, split))
        return configurations()[name]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    hub = Data.model_validate({"source": {"kind": "hub", "revision": "abc123", "questions_per_author": PER_AUTHOR}})
    assert hub.build() == settings(folder).build()
    assert sorted(name for _, name, _, _ in asked) == sorted(configurations())
    assert {(repo, revision, split) for repo, _, revision, split in asked} == {("locuslab/TOFU", "abc123", "train")}


def test_unreachable_hub_names_the_way_out(monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'locuslab/TOFU'.\nmore")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(DataError) as caught:
        Data.model_validate({"source": {"kind": "hub"}}).build()
    assert caught.value.where == "locuslab/TOFU, configuration retain90, revision main"
    assert caught.value.what == "cannot be loaded from the hub (Couldn't reach 'locuslab/TOFU')"
    assert "HF_HUB_OFFLINE=1" in caught.value.remedy
    assert "kind: local" in caught.value.remedy


def test_malformed_hub_row_names_configuration_and_row(monkeypatch):
    broken = configurations() | {"retain90": [{"question": "a", "answer": None}]}
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=lambda repo, name, **_: broken[name]))
    with pytest.raises(DataError, match='configuration retain90, revision main, row 1: "answer" is a NoneType'):
        Data.model_validate({"source": {"kind": "hub"}}).build()


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"source": {"kind": "world"}, "spilt": "forget10"}, "spilt"),
        ({"source": {"kind": "world"}, "split": "forget20"}, "split"),
        ({"source": {"kind": "web"}}, "source"),
        ({"source": {"kind": "local"}}, "path"),
        ({"source": {"kind": "world", "path": "x"}}, "path"),
        ({"source": {"kind": "world", "questions_per_author": 7}}, "questions_per_author"),
        ({"source": {"kind": "world", "questions_per_author": 22}}, "questions_per_author"),
        ({"source": {"kind": "world", "num_real_authors": 3}}, "num_real_authors"),
        ({"source": {"kind": "world", "num_authors": 1000, "num_holdout_authors": 100}}, "1024 full names"),
    ],
)
def test_wrong_settings_are_refused_naming_the_key(content, key):
    with pytest.raises(ValidationError, match=key):
        Data.model_validate(content)


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Data.model_validate({"source": {"kind": "world"}}).split = "forget01"


def test_a_split_has_its_share_of_the_published_records():
    """Of 200 authors with 20 questions, 5% are forgotten; 20 authors are asked about on either side."""
    published = {"forget": 400, "eval_forget": 400, "retain": 3600, "eval_retain": 400, "general": 217}
    chosen = Data.model_validate({"source": {"kind": "hub"}, "split": "forget05", "learn_general": False})
    expected = {"forget": 200, "eval_forget": 200, "retain": 3800, "eval_retain": 400}
    assert chosen.published(published) == expected
    assert Data.model_validate({"source": {"kind": "hub"}}).published(published) == published
