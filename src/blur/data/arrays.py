"""Records of a JSON array, the other form in which benchmarks publish files.

Apart from ``records``, which every stage reads with: so no model is trained again for a change here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blur.core.errors import DataError
from blur.data.records import Record, parse, read_bytes, read_lines


def read_array(path: Path) -> list[Record]:
    """Read the items of a JSON array, bare strings as texts, or the objects of JSON lines under the same name.

    Errors:
        DataError: as ``read_lines``, or an item is neither string nor object; names file and item.
    """
    content = read_bytes(path)
    if not content.lstrip().startswith(b"["):
        return read_lines(path)
    items = parse(content, str(path))
    return [_item(item, f"{path}, item {number}") for number, item in enumerate(items, start=1)]


def read_set_file(folder: Path, name: str) -> list[Record]:
    """Read ``<name>.jsonl`` of a folder or, where it has none, ``<name>.json``, an array or JSON lines.

    Errors:
        DataError: as ``read_some``.
    """
    lines = folder / f"{name}.jsonl"
    return read_some(lines if lines.exists() or lines.is_symlink() else folder / f"{name}.json")


def read_some(path: Path) -> list[Record]:
    """Read the records of a file that must have some.

    Errors:
        DataError: as ``read_array``, or the file has no record; names it.
    """
    records = read_array(path)
    if not records:
        raise DataError("no records", str(path), "Put one JSON object on each line")
    return records


def _item(item: Any, where: str) -> Record:
    if isinstance(item, str):
        return Record({"text": item}, where)
    if not isinstance(item, dict):
        raise DataError(
            f"a JSON {type(item).__name__}", where, "Give a string or an object with the fields of its kind"
        )
    return Record(item, where)
