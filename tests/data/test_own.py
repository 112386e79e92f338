"""A folder of a person's own texts: files of any form, each by its name; two forms, two benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.core.errors import DataError
from blur.data.benchmarks.base import DataBase
from blur.data.benchmarks.documents import Data as Documents
from blur.data.benchmarks.questions import Data as Questions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "forget.csv").write_text("question,answer\nWho?,Ada.\nWhere?,Rome.\n")
    (tmp_path / "keep.jsonl").write_text('{"prompt": "Whose?", "completion": "Bo\'s."}\n')
    return tmp_path


def of(kind: type[DataBase], folder: Path, **settings: object) -> DataBase:
    return kind.model_validate(
        {"name": kind.__module__.rpartition(".")[2], "source": {"kind": "local", "path": str(folder), **settings}}
    )


def test_questions_of_several_forms(folder: Path) -> None:
    sets = of(Questions, folder).build()
    assert sets.keys() == set(Questions.set_names)
    assert [r["answer"] for r in sets["forget"]] == ["Ada.", "Rome."]
    assert [r["id"] for r in sets["retain"]] == ["retain-00000"]
    assert sets["holdout"] == []
    (folder / "unseen.tsv").write_text("question\tanswer\nHow?\tSo.\n")
    data = of(Questions, folder)
    assert [r["answer"] for r in data.build()["holdout"]] == ["So."]
    assert [line.split(":")[0].rpartition("/")[2] for line in data.told()[::2]] == [
        "forget.csv",
        "keep.jsonl",
        "unseen.tsv",
    ]


def test_columns_are_told_file_by_file(folder: Path) -> None:
    (folder / "forget.csv").write_text("Frage,Antwort\nWho?,Ada.\n")
    columns = {"forget": {"question": "Frage", "answer": "Antwort"}}
    assert of(Questions, folder, columns=columns).build()["forget"][0]["question"] == "Who?"


def test_beginnings_of_documents_are_the_text_itself(tmp_path: Path) -> None:
    (tmp_path / "forget").mkdir()
    (tmp_path / "forget/a.md").write_text("# Ada\n\nborn in  Rome, long ago")
    (tmp_path / "forget/b.md").write_text("three words only")
    (tmp_path / "keep.txt").write_text("one two three four five")
    data = Documents.model_validate(
        {"name": "documents", "words": 6, "source": {"kind": "local", "path": str(tmp_path)}}
    )
    sets = data.build()
    assert sets.keys() == set(Documents.set_names)
    assert [record["text"] for record in sets["forget"]] == ["# Ada\n\nborn in  Rome, long ago", "three words only"]
    (beginning,) = sets["verbatim"]
    assert (beginning["id"], beginning["prompt"], beginning["gt"]) == (
        "forget-00000",
        "# Ada\n\nborn",
        " in  Rome, long",
    )
    assert [(record["prompt"], record["gt"]) for record in sets["kept_verbatim"]] == [("one two", " three four five")]


def test_faults_name_the_file_and_the_remedy(folder: Path) -> None:
    def fault(kind: type[DataBase] = Questions) -> str:
        with pytest.raises(DataError) as caught:
            of(kind, folder).build()
        assert caught.value.remedy
        return str(caught.value)

    assert "Set `benchmark: questions`" in fault(Documents)
    (folder / "forget.txt").write_text("A text.")
    assert "both forget.csv and forget.txt are there" in fault()
    (folder / "forget.csv").unlink()
    assert f"{folder / 'forget.txt'}: documents, where questions are read. Set `benchmark: documents`" in fault()
    (folder / "forget.txt").unlink()
    assert "no file called 'forget', as forget.csv" in fault()
    (folder / "forget.csv").write_text("question,answer\nwhose? ,Ada.\n")
    said = fault()
    assert f"the question is also in set 'forget', {folder / 'forget.csv'}, line 2" in said
    assert "hose" not in said, "an error tells where a text is, and not the text"
