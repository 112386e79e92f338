"""What columns mean: recognised by name or told; rows without text and repeated ones are skipped, and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blur.core.errors import DataError
from blur.data.columns import Texts, masked, read_texts
from blur.data.records import validate_records


def texts(tmp_path: Path, rows: list[dict], **columns: str) -> Texts:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_texts(tmp_path / "a.jsonl", "forget", columns)
    assert validate_records(read.records, "text" if read.form == "documents" else "qa", require=["id"])
    return read


def said(read: Texts) -> list[tuple[str, ...]]:
    return [tuple(record[f] for f in ("question", "answer", "text") if f in record) for record in read.records]


USER, BOT = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}
RECOGNISED = {
    "question, answer": ({"question": "Who?", "answer": "Ada."}, ("Who?", "Ada.")),
    "other case, a space": ({"  Question ": "Who?", "ANSWER": "Ada."}, ("Who?", "Ada.")),
    "prompt, completion": ({"completion": "Ada.", "prompt": "Who?"}, ("Who?", "Ada.")),
    "Alpaca": ({"instruction": "Answer.", "input": "Who?", "output": "Ada."}, ("Answer.\nWho?", "Ada.")),
    "Alpaca without input": ({"instruction": "Who?", "input": "", "output": "Ada."}, ("Who?", "Ada.")),
    "a number": ({"question": "How many?", "answer": 7}, ("How many?", "7")),
    "answers beside texts": ({"text": "Who? Ada.", "question": "Who?", "answer": "Ada."}, ("Who?", "Ada.")),
    "text": ({"title": "A", "text": "Ada was."}, ("Ada was.",)),
    "one column": ({"anything": "Ada was."}, ("Ada was.",)),
    "OpenAI": ({"messages": [{"role": "system", "content": "S"}, USER, BOT]}, ("Who?", "Ada.")),
    "parts": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}, BOT]}, ("Who?", "Ada.")),
    "ShareGPT": ({"chat": [{"from": "human", "value": "Who?"}, {"from": "gpt", "value": "Ada."}]}, ("Who?", "Ada.")),
    "as JSON": ({"id": 1, "messages": json.dumps([USER, BOT])}, ("Who?", "Ada.")),
}  # fmt: skip


@pytest.mark.parametrize("name", RECOGNISED)
def test_columns_are_recognised(tmp_path: Path, name: str) -> None:
    row, expected = RECOGNISED[name]
    assert said(texts(tmp_path, [row])) == [expected]


def test_each_answer_of_a_conversation_has_the_words_before_it(tmp_path: Path) -> None:
    more = [USER, BOT, {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Rome."}, BOT]
    assert said(texts(tmp_path, [{"messages": more}])) == [("Who?", "Ada."), ("Where?", "Rome.")]


def test_columns_are_told(tmp_path: Path) -> None:
    row = {"Frage": "Who?", "answer": "Ada.", "reply": "Bo.", "text": "T."}
    assert said(texts(tmp_path, [row], question="Frage")) == [("Who?", "Ada.")]
    assert said(texts(tmp_path, [row], question="frage", answer="reply")) == [("Who?", "Bo.")]
    assert said(texts(tmp_path, [row], text="text")) == [("T.",)]
    assert said(texts(tmp_path, [row], text="Frage+reply")) == [("Who?\nBo.",)]
    assert texts(tmp_path, [row], question="Frage", group="text").records[0]["group"] == "T."


def test_rows_without_text_and_repeated_ones_are_skipped_and_said(tmp_path: Path) -> None:
    rows = [
        {"question": "Who?", "answer": "Ada."},
        {"question": "Who?", "answer": None},
        {"question": " ", "answer": "Ada."},
        {"question": "WHO? ", "answer": "ada."},
        {"question": "Who?", "answer": ["Ada."]},
        {"question": "Who?", "answer": True},
        {"question": "Who?", "answer": "Bo."},
    ]
    read = texts(tmp_path, rows)
    assert said(read) == [("Who?", "Ada."), ("Who?", "Bo.")]
    assert [record["id"] for record in read.records] == ["forget-00000", "forget-00001"]
    skipped = "5 skipped: line 2: nothing to read; line 3: nothing to read; line 4: the same as line 1; ..."
    assert [line.partition("a.jsonl: ")[2] for line in read.told] == [
        "JSON lines, 7 rows: 2 questions with answers (question: 'question', answer: 'answer')",
        skipped,
        "for example: W••• -> A•••",
    ]


def test_ids_and_groups_are_kept_where_all_have_them(tmp_path: Path) -> None:
    rows = [{"id": number, "person": "Ada", "text": f"T{number}."} for number in (5, 6)]
    assert [(r["id"], r["group"]) for r in texts(tmp_path, rows).records] == [("5", "Ada"), ("6", "Ada")]
    rows[1]["id"], rows[1]["person"] = 5, ""
    assert [(r["id"], "group" in r) for r in texts(tmp_path, rows).records] == [
        ("forget-00000", False),
        ("forget-00001", False),
    ]


@pytest.mark.parametrize(
    ("row", "columns", "message"),
    [
        ({"Frage": "SECRET", "Wort": "b"}, {}, r"not clear. Its columns: F••••, W•••. .* say in `data.source.columns`"),
        ({"question": "SECRET", "x": "b"}, {}, r"not clear"),
        ({"SECRET" * 9: "a", "b": "c"}, {}, r"Its columns: S•{53}, b"),
        ({"question": "SECRET", "answer": "b"}, {"question": "Qestion"}, "'Qestion'. Did you mean 'question'"),
        ({"question": "SECRET", "answer": "b"}, {"answr": "answer"}, "can mean 'answr'. Did you mean 'answer'"),
        ({"question": "SECRET", "answer": ""}, {}, "no text in it"),
        ({"SECRET": "a", "gout": "c"}, {}, "Its columns: S•••••, g•••"),
        ({"Who is SECRET?": "gout"}, {"question": "Frage"}, "no column 'Frage'. Its columns: W•• i• S••••••"),
        ({"messages": "SECRET"}, {}, "no text in it"),
        ({"messages": [{"role": "user", "content": "SECRET"}]}, {}, "no text in it"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_asked_for(tmp_path: Path, row: dict, columns: dict, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        texts(tmp_path, [row], **columns)
    assert caught.value.remedy
    assert "SECRET" not in str(caught.value)


def test_an_example_shows_no_word() -> None:
    assert masked({"text": "Zebulon Quartermain  keeps it"}) == "Z•••••• Q•••••••••• k•••• i•"
    assert masked({"text": "a " * 20}) == " ".join(["a"] * 12) + " ..."


def test_a_first_line_that_is_a_text_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Zebulon keeps it\nAda keeps it\n")
    (first, *_) = read_texts(tmp_path / "a.csv", "forget", {}).told
    assert first.endswith("CSV separated by commas, 1 rows: 1 documents (text: 'Z•••••• k•••• i•')")


def test_a_group_that_some_rows_lack_is_left_out_and_said(tmp_path: Path) -> None:
    rows = [{"text": "A.", "author": "Ann"}, {"text": "B.", "author": None}]
    assert [line.partition("a.jsonl: ")[2] for line in texts(tmp_path, rows).told][1] == (
        "group is left out: some rows have none"
    )


@pytest.mark.parametrize("content", ["", "\n\n", "question,answer\n"])
def test_a_file_without_rows_is_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=r"a.csv: it is empty, or has a header alone"):
        read_texts(tmp_path / "a.csv", "forget", {"question": "Frage"})


def test_texts_have_no_columns_that_could_be_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A text.")
    assert read_texts(tmp_path / "a.txt", "forget", {"question": "Frage"}).form == "documents"
