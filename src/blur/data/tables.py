"""Rows of the files that people have: JSON lines, JSON, CSV, TSV, Parquet, texts, folders of texts, saved datasets."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from blur.core.errors import DataError, one_line
from blur.data.records import Record, parse, parse_object, read_bytes

TEXT_ENDINGS = (".txt", ".text", ".md", ".markdown")
TABLE_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
ENDINGS = (*TABLE_ENDINGS, *TEXT_ENDINGS)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAVED = "state.json"  # in each folder that `datasets` writes with `save_to_disk`
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", codecs.BOM_UTF8: "utf-8"}
_CONVERT = "Save it as UTF-8: iconv -t utf-8 -f <its encoding>"


class Table(NamedTuple):
    """The rows of a file as they are, each with its place; what form the file has, in words; whether it has columns."""

    rows: list[Record]
    form: str
    has_columns: bool = True


def read_table(path: Path) -> Table:
    """Read the rows of a file or folder: of a text file one row, ``text``; of a folder of texts one for each file.

    Errors:
        DataError: it is not there, of no known form, cannot be read, or a row is malformed; names file, line and
            remedy, and none of its words.
    """
    if path.is_dir():
        return _saved(path) if (path / _SAVED).is_file() else _folder(path)
    ending = path.suffix.lower()
    if ending in TEXT_ENDINGS:
        return Table([_document(path)], "one text", has_columns=False)
    if ending == ".parquet":
        return Table(_located(_parquet(path), path), "Parquet")
    if ending in (".csv", ".tsv"):
        return _separated(path)
    if ending in (".jsonl", ".ndjson"):
        return Table(list(_json_lines(path)), "JSON lines")
    if ending == ".json":
        return _json(path)
    if not path.exists():
        raise DataError("file not found", str(path), f"Name a file that ends with {', '.join(ENDINGS)}, or a folder")
    what = f"the ending {ending!r} says nothing" if ending else "it has no ending that says what it is"
    raise DataError(what, str(path), f"Name a file that ends with {', '.join(ENDINGS)}, or a folder")


def _text(path: Path) -> str:
    """Return a file's text: UTF-8, or UTF-16 with or without its mark."""
    content = read_bytes(path)
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    encoding = _MARKS.get(mark, "utf-8")
    if not mark and b"\0" in content:
        encoding = "utf-16-le" if content[1::2].count(0) > content[::2].count(0) else "utf-16-be"
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"neither UTF-8 nor UTF-16 (byte {error.start + 1})", str(path), _CONVERT) from None
    if "\0" in text:
        raise DataError(
            "no text: it holds zero bytes", str(path), f"Name a file of the form that it ends with; or: {_CONVERT}"
        )
    return text


def _document(path: Path) -> Record:
    return Record({"text": _text(path).strip()}, str(path))


def _folder(path: Path) -> Table:
    files = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
    if tables := [file for file in files if file.suffix.lower() in TABLE_ENDINGS]:
        raise DataError(
            f"a folder of texts, and {tables[0].relative_to(path)} is a table", str(path), "Name the table itself"
        )
    texts = [file for file in files if file.suffix.lower() in TEXT_ENDINGS]
    if not texts:
        raise DataError("no text in the folder", str(path), f"Put files there that end with {', '.join(TEXT_ENDINGS)}")
    return Table([_document(file) for file in texts], f"a folder of {len(texts)} texts", has_columns=False)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _saved(path: Path) -> Table:
    """Read a dataset that was saved with `save_to_disk`."""
    import datasets

    try:
        found: Any = datasets.load_from_disk(str(path))
        return Table(_located(found.to_list(), path), "a saved dataset")
    except Exception as error:  # whatever the library meets in a spoilt folder
        raise DataError(f"the saved dataset cannot be read ({one_line(error)})", str(path), "Save it again") from None


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot be read as Parquet ({one_line(error)})", str(path), "Write it again") from None
    return rows


def _located(rows: list[dict[str, Any]], path: Path) -> list[Record]:
    return [Record(row, f"{path}, row {number}") for number, row in enumerate(rows, start=1)]


def _json(path: Path) -> Table:
    """Read a list of objects, an object that holds one such list, or, as TOFU's files have it, JSON lines."""
    text = _text(path).strip()
    if text.startswith("{") and "\n" in text and _is_one_object(text.splitlines()[0]):
        return Table(list(_json_lines(path)), "JSON lines")
    value = parse(text.encode(), str(path))
    if isinstance(value, dict):
        lists = [one for one in value.values() if isinstance(one, list) and one and isinstance(one[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise DataError("no list of JSON objects", str(path), 'Write [{"question": ..., "answer": ...}, ...]')
    return Table([Record(row, f"{path}, record {number}") for number, row in enumerate(value, start=1)], "JSON")


def _is_one_object(line: str) -> bool:
    try:
        return bool(parse_object(line.encode(), ""))
    except DataError:
        return False


def _json_lines(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield Record(parse_object(line.encode(), where), where)


def _separated(path: Path) -> Table:
    text = _text(path)
    csv.field_size_limit(sys.maxsize)  # a text may be long
    separator = "\t" if path.suffix.lower() == ".tsv" else _separator(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header, rows, start = list[str](), list[Record](), 1
    try:
        for fields in lines:
            where, start = f"{path}, line {start}", lines.line_num + 1
            if not any(field.strip() for field in fields):
                continue
            if not header:
                header = _header(fields, where)
            elif len(fields) != len(header):
                what = f"{len(fields)} fields, and the header has {len(header)}"
                raise DataError(what, where, f"Quote texts that hold {_SEPARATORS[separator]} or line breaks")
            else:
                rows.append(Record(dict(zip(header, fields, strict=True)), where))
    except csv.Error as error:
        where = f"{path}, line {start}"
        raise DataError(
            f"malformed from here on ({error})", where, 'Close each quote, and write "" for one in a text'
        ) from None
    return Table(rows, f"CSV separated by {_SEPARATORS[separator]}")


def _header(fields: list[str], where: str) -> list[str]:
    names = [name.strip() for name in fields]
    for name in names:
        if not name or names.count(name) > 1:
            what = "a column has no name" if not name else "two columns have the same name"
            raise DataError(what, where, "Write the columns' names in the first line, each once")
    return names


def _separator(text: str) -> str:
    """Return what parts the header into most columns; commas where nothing does."""

    def parts(separator: str) -> int:
        try:
            return len(next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), []))
        except csv.Error:
            return 0

    return max(_SEPARATORS, key=parts)
