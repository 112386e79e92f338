"""WMDP from the hub and from files, offline, against small samples of the documented schemas."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from blur.core.errors import DataError
from blur.data.benchmarks import wmdp

LONG = "A sentence about harmless things, long enough to be kept by the loader."
WIKI = " Robert Boulter is an English film , television and theatre actor . \n"
QUESTION = {"question": "Which of these is a colour?", "choices": ["tin", "blue", "two", "otter"], "answer": 1}
PAPER = {"title": "T", "abstract": "An abstract.", "text": LONG, "doi": "10.1/x"}

# (repository, configuration, split): rows as `datasets` gives them
HUB = {
    ("cais/wmdp-bio-forget-corpus", "default", "train"): [PAPER, {**PAPER, "text": "Too short."}],
    ("cais/wmdp-corpora", "bio-retain-corpus", "train"): [{"text": LONG + " Bio."}],
    ("cais/wmdp-corpora", "cyber-forget-corpus", "train"): [{"text": LONG + " 1"}, {"text": LONG + " 2"}],
    ("cais/wmdp-corpora", "cyber-retain-corpus", "train"): [{"text": LONG + " Cyber."}],
    ("cais/wmdp", "wmdp-bio", "test"): [QUESTION],
    ("cais/wmdp", "wmdp-cyber", "test"): [QUESTION, QUESTION],
    ("cais/wmdp", "wmdp-chem", "test"): [QUESTION],
    ("cais/mmlu", "all", "test"): [{**QUESTION, "subject": "college_biology"}],
    ("cais/mmlu", "all", "dev"): [{**QUESTION, "subject": "anatomy"}],
    ("Salesforce/wikitext", "wikitext-2-raw-v1", "test"): [
        {"text": ""},
        {"text": " = Robert = \n"},
        {"text": WIKI},
    ],
}


@pytest.fixture
def hub(monkeypatch):
    """The hub, with ``hub.without`` gated and ``hub.asked`` what was asked for."""
    state = SimpleNamespace(asked=[], without=set())

    def load_dataset(repo, name, revision, split):
        state.asked.append((repo, name, split, revision))
        if repo in state.without:
            raise PermissionError(f"Dataset '{repo}' is a gated dataset on the Hub. You must be authenticated.")
        return HUB[repo, name, split]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return state


def build(topics=("bio", "cyber"), **source):
    return wmdp.Data.model_validate({"source": source, "topics": topics}).build()


def fault(**options):
    with pytest.raises(DataError) as caught:
        build(**options)
    return caught.value


def test_hub_gives_every_set_but_practice_and_the_neighbours(hub):
    sets = build(kind="hub")
    assert tuple(sets) == wmdp.SET_NAMES
    assert {name for name, records in sets.items() if not records} == {"bio_retain", "cyber_retain", "practice"}
    assert sets["bio_forget"] == [{"id": "bio_forget-00000", "text": LONG}]
    assert [record["text"][-1] for record in sets["cyber_forget"]] == ["1", "2"]
    assert sets["wmdp_cyber"][1] == {"id": "cyber-00001", **QUESTION, "topic": "cybersecurity"}
    assert [sets[name][0]["topic"] for name in ("wmdp_bio", "wmdp_chem")] == ["biology", "chemistry"]
    assert [sets[name][0]["topic"] for name in ("mmlu", "mmlu_dev")] == ["college biology", "anatomy"]


def test_neighbours_are_read_where_asked_for(hub):
    sets = build(kind="hub", neighbours=True)
    assert sets["bio_retain"][0]["text"].endswith("Bio.")
    assert sets["cyber_retain"][0]["text"].endswith("Cyber.")


def test_retain_is_wikitexts_test_split_without_blanks_and_headings(hub):
    assert [record["text"] for record in build(kind="hub")["retain"]] == [WIKI]


@pytest.mark.parametrize(("length", "kept"), [(50, 0), (51, 1)])
def test_a_text_must_have_more_characters_than_the_bound(tmp_path, length, kept):
    folder(tmp_path)
    (tmp_path / "wiki.test.raw").write_text("\n".join(["x" * length, WIKI]), encoding="utf-8")
    assert len(build(kind="local", path=str(tmp_path))["retain"]) == 1 + kept


def test_each_repository_has_its_revision(hub):
    build(kind="hub", corpora={"repo": "cais/wmdp-corpora", "revision": "abc123"})
    revisions = {(repo, revision) for repo, _, _, revision in hub.asked}
    assert ("cais/wmdp-corpora", "abc123") in revisions
    assert ("cais/wmdp", "main") in revisions


def test_cyber_alone_asks_for_nothing_gated(hub):
    hub.without = {"cais/wmdp-bio-forget-corpus"}
    sets = build(topics=["cyber"], kind="hub")
    assert len(sets["cyber_forget"]) == 2
    assert sets["bio_forget"] == sets["wmdp_bio"] == []
    assert not [repo for repo, *_ in hub.asked if repo in hub.without]


def test_gated_corpus_says_how_to_get_access(hub):
    hub.without = {"cais/wmdp-bio-forget-corpus"}
    error = fault(kind="hub")
    assert "is a gated dataset" in error.what
    assert error.where == "the gated corpus cais/wmdp-bio-forget-corpus, configuration default, revision main"
    for way in ("Accept the terms on the page", "hf auth login", "HF_TOKEN", "topics: [cyber]", "kind: local"):
        assert way in error.remedy


def test_unreachable_hub_names_the_way_out(monkeypatch):
    def load_dataset(*_, **__):
        raise ConnectionError("Couldn't reach 'cais/wmdp-corpora'")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    error = fault(topics=["cyber"], kind="hub")
    assert error.where == "cais/wmdp-corpora, configuration cyber-forget-corpus, revision main"
    assert "HF_HUB_OFFLINE=1" in error.remedy
    assert "put WMDP's files in a folder" in error.remedy


def test_malformed_rows_name_configuration_and_row(hub, monkeypatch):
    monkeypatch.setitem(HUB, ("cais/wmdp", "wmdp-bio", "test"), [QUESTION, {**QUESTION, "answer": 4}])
    error = fault(kind="hub")
    assert error.where == "cais/wmdp, configuration wmdp-bio, split test, revision main, row 2"
    assert '"answer" is 4, but there are 4 choices' in error.what
    monkeypatch.setitem(HUB, ("cais/wmdp-corpora", "cyber-forget-corpus", "train"), [{"body": LONG}])
    assert 'field "text" is missing' in fault(topics=["cyber"], kind="hub").what


def folder(path, bio="bio_remove_dataset.jsonl", cyber="cyber-forget-corpus.jsonl"):
    """Write the files as the Center for AI Safety ships them."""
    (path / bio).write_text("\n".join(json.dumps(row) for row in (PAPER, PAPER | {"text": LONG + " 2"})) + "\n")
    (path / cyber).write_text(json.dumps({"text": LONG + " Cyber."}) + "\n")
    for topic in ("bio", "cyber"):
        (path / f"{topic}_questions.json").write_text(json.dumps([QUESTION]))
        (path / f"{topic}-retain-corpus.jsonl").write_text(json.dumps({"text": f"{LONG} {topic}"}))
    (path / "wiki.test.raw").write_text(f" \n = Robert = \n{WIKI}")


@pytest.mark.parametrize(
    "name",
    [
        "bio_remove_dataset.jsonl",
        "bio-remove-dataset.jsonl",
        "bio-forget-corpus.jsonl",
        "bio_forget_corpus.jsonl",
    ],
)
def test_bio_corpus_under_any_of_its_names_is_parsed_and_never_trained_on_as_json(tmp_path, name):
    """The authors' loader parses it under one of these names only, and trains on the raw lines under the others."""
    folder(tmp_path, bio=name)
    sets = build(kind="local", path=str(tmp_path))
    assert [record["text"] for record in sets["bio_forget"]] == [LONG, LONG + " 2"]


@pytest.mark.parametrize(
    "line", [LONG, json.dumps(LONG), json.dumps({"text": LONG}), json.dumps({"text": LONG, "x": 1})]
)
def test_a_corpus_line_is_text_a_json_string_or_an_object(tmp_path, line):
    folder(tmp_path)
    (tmp_path / "cyber-forget-corpus.jsonl").write_text(line + "\n\n")
    assert [record["text"] for record in build(kind="local", path=str(tmp_path))["cyber_forget"]] == [LONG]


def test_local_folder(tmp_path):
    folder(tmp_path, cyber="cyber_forget_corpus.jsonl")
    sets = build(kind="local", path=str(tmp_path), neighbours=True)
    assert [len(sets[name]) for name in ("bio_forget", "cyber_forget", "retain", "wmdp_bio")] == [2, 1, 1, 1]
    assert sets["cyber_retain"][0]["text"] == f"{LONG} cyber"
    assert sets["wmdp_chem"] == sets["mmlu"] == sets["mmlu_dev"] == sets["practice"] == []
    (tmp_path / "chem_questions.json").write_text(json.dumps(QUESTION) + "\n" + json.dumps(QUESTION) + "\n")
    assert len(build(kind="local", path=str(tmp_path))["wmdp_chem"]) == 2


def test_cyber_alone_from_a_folder_without_bio(tmp_path):
    folder(tmp_path)
    (tmp_path / "bio_remove_dataset.jsonl").unlink()
    assert build(topics=["cyber"], kind="local", path=str(tmp_path))["cyber_forget"]
    error = fault(kind="local", path=str(tmp_path))
    assert error.what == "no file bio-forget-corpus.jsonl or bio-remove-dataset.jsonl"
    assert error.where == str(tmp_path)
    assert "choose other `topics`" in error.remedy


def test_faults_of_files_name_the_place(tmp_path):
    folder(tmp_path)
    path = {"kind": "local", "path": str(tmp_path)}
    (tmp_path / "cyber-forget-corpus.jsonl").write_text('{"text": "' + LONG + "\n")
    error = fault(**path)
    assert error.where == f"{tmp_path / 'cyber-forget-corpus.jsonl'}, line 1"
    assert "malformed JSON" in error.what
    folder(tmp_path)
    (tmp_path / "bio_questions.json").write_text("[{]")
    assert fault(**path).where == str(tmp_path / "bio_questions.json")
    folder(tmp_path)
    (tmp_path / "bio_questions.json").write_text("[3]")
    assert "item 1" in fault(**path).where
    folder(tmp_path)
    (tmp_path / "wiki.test.raw").write_bytes(b"caf\xe9")
    assert "UTF-8" in fault(**path).remedy
    assert fault(kind="local", path=str(tmp_path / "no")).what == "no such folder"


def test_nothing_long_enough_is_an_error(tmp_path):
    folder(tmp_path)
    error = fault(kind="local", path=str(tmp_path), min_characters=1000)
    assert error.what == "no records"
    assert "min_characters" in error.remedy


def test_a_text_that_is_forgotten_and_kept(tmp_path):
    folder(tmp_path)
    (tmp_path / "wiki.test.raw").write_text(LONG)
    error = fault(kind="local", path=str(tmp_path))
    assert "also in set 'bio_forget'" in error.what
