"""Files as people have them: read whatever wrote the CSV or encoded the text; what is not sound is named."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blur.core.errors import DataError
from blur.data.tables import read_table

ROWS = [{"question": 'Who said "no; never"?', "answer": "Ada,\nof Rome"}, {"question": "Whence?", "answer": "Från Åbo"}]


def rows(path: Path) -> list[dict]:
    return [dict(row) for row in read_table(path).rows]


def csv_text(separator: str = ",", end: str = "\n") -> str:
    quoted = ([f'"{text.replace(chr(34), chr(34) * 2)}"' for text in row.values()] for row in ROWS)
    return end.join([separator.join(ROWS[0]), *(separator.join(row) for row in quoted)]) + end


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_csv_of_any_separator_line_end_and_encoding(tmp_path: Path, separator: str, end: str, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(csv_text(separator, end).encode(encoding))
    assert rows(tmp_path / "a.csv") == ROWS
    assert [row.where.rpartition(", ")[2] for row in read_table(tmp_path / "a.csv").rows] == ["line 2", "line 4"]


def test_a_line_of_a_million_letters(tmp_path: Path) -> None:
    long = "a, b; " * 200_000
    (tmp_path / "a.csv").write_text(f'question,answer\nq,"{long}"\n')
    assert rows(tmp_path / "a.csv")[0]["answer"] == long
    (tmp_path / "b.jsonl").write_text(json.dumps({"text": long}) + "\n")
    assert rows(tmp_path / "b.jsonl")[0]["text"] == long


def test_every_form_of_the_same_rows(tmp_path: Path) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "tofu.json").write_text(lines)
    (tmp_path / "list.json").write_text(json.dumps(ROWS, indent=1))
    (tmp_path / "inside.json").write_text(json.dumps({"version": 1, "data": ROWS}))
    (tmp_path / "bom.jsonl").write_bytes(lines.encode("utf-8-sig").replace(b"\n", b"\r\n"))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
    for name in ("a.jsonl", "tofu.json", "list.json", "inside.json", "bom.jsonl", "a.parquet", "saved"):
        assert rows(tmp_path / name) == ROWS, name


def test_a_folder_of_texts_is_read_in_order_and_hidden_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/two.md").write_text("# Two\n")
    (tmp_path / "a.txt").write_bytes("One\r\n".encode("utf-16"))
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "picture.png").write_bytes(b"\0")
    assert rows(tmp_path) == [{"text": "One"}, {"text": "# Two"}]
    assert rows(tmp_path / "a.txt") == [{"text": "One"}]


SECRET = "The vermilion astrolabe"
BAD = {
    "cut off.csv": (f'question,answer\nq,"{SECRET}', "line 2: malformed from here on"),
    "too many fields.csv": (f"question,answer\nq,{SECRET}, too\n", "line 2: 3 fields, and the header has 2"),
    "too few fields.csv": (f"question,answer\nq,a\n{SECRET}\n", "line 3: 1 fields, and the header has 2"),
    "no name.csv": (f"question,\nq,{SECRET}\n", "line 1: a column has no name"),
    "name twice.tsv": (f"a\ta\nq\t{SECRET}\n", "line 1: two columns have the same name"),
    "latin.csv": (b"question,answer\nq,\xe5bo\n", "neither UTF-8 nor UTF-16 (byte 19)"),
    "binary.txt": (bytes(range(256)), "neither UTF-8 nor UTF-16"),
    "zeros.txt": (b"a\0\0\0b\0\0\0", "it holds zero bytes"),
    "cut off.jsonl": (f'{{"text": "a"}}\n{{"text": "{SECRET}', "line 2: malformed JSON"),
    "a list.jsonl": (f'["{SECRET}"]\n', "line 1: a JSON list, not an object"),
    "texts.json": (f'["{SECRET}"]', "no list of JSON objects"),
    "cut off.json": (f'[{{"text": "{SECRET}"', "malformed JSON"),
    "twice.jsonl": ('{"a": 1, "a": 2}\n', "line 1: unfit JSON (the field 'a' is there twice)"),
    "none.parquet": (SECRET, "cannot be read as Parquet"),
    "cut off.parquet": (b"PAR1\0\0\0PAR1", "cannot be read as Parquet"),
    "a.docx": (SECRET, "the ending '.docx' says nothing"),
    "bare": (SECRET, "it has no ending"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_sound_is_named_and_not_told(tmp_path: Path, name: str) -> None:
    content, said = BAD[name]
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name)
    assert said in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert caught.value.remedy
    assert SECRET not in str(caught.value)


def test_folders_and_files_that_are_not_there_or_not_of_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="file not found"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="file not found"):
        read_table(tmp_path / "none")
    with pytest.raises(DataError, match="no text in the folder"):
        read_table(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "t.csv").write_text("a\n")
    with pytest.raises(DataError, match=r"a folder of texts, and t.csv is a table"):
        read_table(tmp_path)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/state.json").write_text("{}")
    with pytest.raises(DataError, match="the saved dataset cannot be read"):
        read_table(tmp_path / "saved")
    (tmp_path / "locked.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(DataError, match="file not found"):
        read_table(tmp_path / "locked.txt")
