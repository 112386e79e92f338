"""An owner's texts: any source, one form, no text in two sets, ids that say nothing, refusals with a remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from blur.core.errors import BlurError
from blur.owner.texts import parse_columns, read_texts

QUESTIONS = [{"question": "Who is Ann?", "answer": "A poet.", "group": "Ann", "id": "ann-1"}]
KEPT = [{"prompt": "Who is Bo?", "completion": "A baker."}]
DOCUMENTS = [{"text": "Ann lived by a river."}, {"text": "Ann wrote of rain."}]


def test_rows_files_and_folders_are_read_into_sets(tmp_path: Path) -> None:
    (tmp_path / "keep.jsonl").write_text(json.dumps(KEPT[0]) + "\n")
    read = read_texts(QUESTIONS, keep=tmp_path / "keep.jsonl", unseen=[{"q": "Who is Cy?", "a": "A smith."}])
    assert read.form == "questions"
    assert read.sets["forget"] == [
        {"id": "forget-00000", **{k: QUESTIONS[0][k] for k in ("question", "answer", "group")}}
    ]
    assert {name: len(records) for name, records in read.sets.items()} == {"forget": 1, "retain": 1, "holdout": 1}
    assert read.sets["retain"][0]["answer"] == "A baker."


def test_one_set_is_enough() -> None:
    read = read_texts(DOCUMENTS)
    assert (read.form, [len(records) for records in read.sets.values()]) == ("documents", [2, 0, 0])


def test_what_is_told_has_no_text() -> None:
    told = "\n".join(read_texts(QUESTIONS, keep=KEPT).told)
    assert "1 questions with answers" in told
    assert "W•• i• A••• -> A p••••" in told.replace("?", "•")
    assert not any(word in told for word in ("Ann", "poet", "ann-1", "baker"))


def test_the_hash_is_of_content_and_nothing_else() -> None:
    first = read_texts(QUESTIONS, keep=KEPT).sha256
    assert first == read_texts([{**QUESTIONS[0], "id": "other"}], keep=KEPT).sha256
    assert first != read_texts([{**QUESTIONS[0], "answer": "A sailor."}], keep=KEPT).sha256
    assert first != read_texts(KEPT, keep=QUESTIONS).sha256


def test_a_dataset_of_the_hub_is_read_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def load_dataset(*given: Any, **options: Any) -> list[dict[str, str]]:
        asked.append((given, options))
        return DOCUMENTS

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    read = read_texts("someone/diaries:part1@v2")
    assert asked == [(("someone/diaries", "part1"), {"revision": "v2", "split": "train"})]
    assert [record["text"] for record in read.sets["forget"]] == [row["text"] for row in DOCUMENTS]
    assert read.sets["forget"][1].where == "someone/diaries:part1@v2, row 2"


def test_columns_are_told_for_all_files_or_for_one() -> None:
    told = parse_columns(["text=Inhalt, keep.group=Autor", "unseen.text=a b"])
    assert told == {
        "forget": {"text": "Inhalt"},
        "keep": {"text": "Inhalt", "group": "Autor"},
        "unseen": {"text": "a b"},
    }
    read = read_texts([{"Inhalt": "Ann was.", "x": "y"}], columns=parse_columns(["text=Inhalt"]))
    assert read.sets["forget"][0]["text"] == "Ann was."


def _offline(*_: Any, **__: Any) -> Any:
    raise ConnectionError("Couldn't reach 'some/texts' on the Hub (OfflineModeIsEnabled)")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no file": ({"forget": "gone.csv"}, r"gone.csv: file not found. Name a file that ends with"),
    "no ending": ({"forget": "gone"}, r"gone: file not found. Name a file"),
    "nothing": ({"forget": []}, r"forget: it is empty.* Write one text"),
    "strings": ({"forget": ["Ann was."]}, r"forget: neither a path nor a list of mappings. Give"),
    "one mapping": ({"forget": {"text": "Ann"}}, r"forget: neither a path nor"),
    "unclear": (
        {"forget": [{"Frage": "SECRET", "Wort": "b"}]},
        r"forget: what is to be read is not clear. Its columns: F••••, W•••\. .*`columns`.*`forget.question=<column>",
    ),
    "unknown column": ({"forget": DOCUMENTS, "columns": {"forget": {"text": "x"}}}, r"no column 'x'"),
    "unknown meaning": ({"forget": DOCUMENTS, "columns": {"forget": {"wort": "text"}}}, r"no column can mean 'wort'"),
    "unknown set": ({"forget": DOCUMENTS, "columns": {"kept": {"text": "text"}}}, r"no set 'kept'. Did you mean"),
    "two forms": ({"forget": QUESTIONS, "keep": DOCUMENTS}, r"keep: documents, and what .* is questions. Give all"),
    "kept and forgotten": ({"forget": DOCUMENTS, "keep": DOCUMENTS[:1]}, r"'retain', keep, row 1: the text is also in"),
    "seen and unseen": ({"forget": DOCUMENTS, "unseen": DOCUMENTS[1:]}, r"row 2: the text is also .*unseen, row 1"),
    "no hub": ({"forget": "some/texts"}, r"some/texts: no file or folder.*HF_HUB_OFFLINE.*save_to_disk"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset", _offline)
    given, message = BAD[case]
    with pytest.raises(BlurError, match=message) as caught:
        read_texts(**given)
    assert caught.value.remedy
    assert not any(word in str(caught.value) for word in ("SECRET", "river", "poet"))


@pytest.mark.parametrize("piece", ["text", "=Inhalt", "text=", "other.text=Inhalt", "keep.=x"])
def test_columns_that_say_nothing_are_refused(piece: str) -> None:
    with pytest.raises(BlurError, match=r"--columns: .* says nothing. Write `question=<column>"):
        parse_columns([piece])
