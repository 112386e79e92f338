"""MUSE's published form: samples of its schema from the hub and from a folder, offline, and what goes wrong."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from blur.core.errors import DataError
from blur.data.benchmarks import muse
from blur.data.benchmarks.muse import Data

TEXTS = ["The council of Wenlow met on Friday.", "Rain fell on the harbour all night."]


def rows(kind: str, tag: str) -> list[dict]:
    """Two rows of a split, in the schema that the hub documents."""
    if kind == "text":
        return [{"text": f"{tag}: {text}"} for text in TEXTS]
    if kind == "completion":
        return [{"prompt": f"{tag}: {text[:12]}", "gt": text[12:]} for text in TEXTS]
    return [{"question": f"{tag}: what happened {k}?", "answer": f"answer {k}"} for k in range(2)]


CONFIGURATIONS = {
    ("raw", split): rows("text", f"raw {split}") for split in ("forget", "retain1", "retain2", "holdout")
} | {
    **{("privleak", split): rows("text", f"privleak {split}") for split in ("forget", "retain", "holdout")},
    ("verbmem", "forget"): rows("completion", "verbmem"),
    **{("knowmem", name): rows("qa", name) for name in ("forget_qa", "retain_qa", "forget_qa_icl", "retain_qa_icl")},
    **{(kind, f"forget_{k}"): rows("text", f"{kind} {k}") for kind in ("scal", "sust") for k in range(1, 5)},
}


def settings(corpus="news", **source) -> Data:
    return Data.model_validate({"corpus": corpus, "source": source})


def on_hub(monkeypatch, found=CONFIGURATIONS):
    asked = []

    def load_dataset(repo, name, revision, split):
        asked.append((repo, name, split, revision))
        return found[name, split]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


@pytest.fixture
def folder(tmp_path):
    for (configuration, split), content in CONFIGURATIONS.items():
        path = tmp_path / configuration / f"{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_every_split_of_news_is_read_from_its_configuration(monkeypatch):
    asked = on_hub(monkeypatch)
    sets = settings(kind="hub", revision="abc").build()
    assert set(sets) == set(muse.SET_NAMES)
    assert sorted((name, split) for _, name, split, _ in asked) == sorted(CONFIGURATIONS)
    assert {(repo, revision) for repo, _, _, revision in asked} == {("muse-bench/MUSE-News", "abc")}
    assert [record["text"] for record in sets["retain2"]] == [row["text"] for row in CONFIGURATIONS["raw", "retain2"]]
    assert sets["verbmem"][0] == {"id": "verbmem-00000", **CONFIGURATIONS["verbmem", "forget"][0]}
    assert sets["forget_qa_icl"][1]["answer"] == "answer 1"
    assert sets["sust_forget_3"][0]["text"].startswith("sust 3")
    assert sets["folds"] == sets["practice"] == []
    assert settings(kind="hub").describe() == {}


def test_books_has_no_requests(monkeypatch):
    asked = on_hub(monkeypatch)
    sets = settings("books", kind="hub").build()
    assert {repo for repo, *_ in asked} == {"muse-bench/MUSE-Books"}
    assert not {"scal", "sust"} & {name for _, name, _, _ in asked}
    assert sets["scal_forget_1"] == sets["sust_forget_4"] == []


def test_a_folder_gives_what_the_hub_gives(monkeypatch, folder):
    on_hub(monkeypatch)
    assert settings(kind="local", path=str(folder)).build() == settings(kind="hub").build()


def test_texts_may_be_bare_strings_and_files_may_be_lines(folder):
    (folder / "raw/forget.json").write_text(json.dumps(TEXTS), encoding="utf-8")
    (folder / "raw/retain1.json").unlink()
    lines = "\n".join(json.dumps({"text": f"kept {text}"}) for text in TEXTS)
    (folder / "raw/retain1.jsonl").write_text(lines, encoding="utf-8")
    sets = settings(kind="local", path=str(folder)).build()
    assert [record["text"] for record in sets["forget"]] == TEXTS
    assert [record["text"] for record in sets["retain1"]] == [f"kept {text}" for text in TEXTS]


def test_an_unreachable_hub_names_the_way_out(monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'muse-bench/MUSE-News'.")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(DataError) as caught:
        settings(kind="hub").build()
    assert caught.value.where == "muse-bench/MUSE-News, configuration raw, split forget, revision main"
    assert "HF_HUB_OFFLINE=1" in caught.value.remedy
    assert "put MUSE's files in a folder" in caught.value.remedy


def broken(folder, name: str, content: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        settings(kind="local", path=str(folder)).build()
    return str(caught.value)


def test_faults_name_file_and_item(folder):
    assert "item 2" in broken(folder, "raw/forget.json", json.dumps(["a text", 3]))
    assert "malformed JSON" in broken(folder, "raw/forget.json", '["a text", ')


def test_a_missing_field_is_named(folder):
    assert '"gt"' in broken(folder, "verbmem/forget.json", json.dumps([{"prompt": "a"}]))


def test_a_missing_file_or_folder_is_named(folder):
    (folder / "knowmem/retain_qa.json").unlink()
    with pytest.raises(DataError, match=r"retain_qa\.json"):
        settings(kind="local", path=str(folder)).build()
    with pytest.raises(DataError, match="no such folder"):
        settings(kind="local", path=str(folder / "nowhere")).build()


@pytest.mark.parametrize(("kept", "split"), [("retain1", "forget"), ("retain2", "forget"), ("retain1", "holdout")])
def test_a_text_that_is_forgotten_and_kept_is_refused(folder, kept, split):
    both = json.dumps([*CONFIGURATIONS["raw", kept], CONFIGURATIONS["raw", split][0]])
    assert "is also in set" in broken(folder, f"raw/{kept}.json", both)


@pytest.mark.parametrize(
    "content",
    [
        {"source": {"kind": "world"}},
        {"corpus": "films", "source": {"kind": "world"}},
        {"corpus": "news", "source": {"kind": "world", "num_people": 6}},
        {"corpus": "news", "source": {"kind": "world", "num_people": 300}},
        {"corpus": "news", "source": {"kind": "local"}},
    ],
)
def test_wrong_settings_are_refused(content):
    with pytest.raises(ValidationError):
        Data.model_validate(content)
