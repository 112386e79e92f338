"""Records of a JSON array, the other form in which benchmarks publish files.

Apart from ``records``, which every stage reads with: so no model is trained again for a change here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from blur.core.errors import DataError
from blur.data.records import Record, read_lines


def read_array(path: Path) -> list[Record]:
    """Read the items of a JSON array, bare strings as texts, or the objects of JSON lines under the same name.

    Errors:
        DataError: as ``read_lines``, or an item is neither string nor object; names file and item.
    """
    if not path.is_file() or not path.read_bytes().lstrip().startswith(b"["):
        return read_lines(path)
    try:
        items = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"malformed JSON ({error})", str(path), "Restore the file as published") from None
    return [_item(item, f"{path}, item {number}") for number, item in enumerate(items, start=1)]


def _item(item: Any, where: str) -> Record:
    if isinstance(item, str):
        return Record({"text": item}, where)
    if not isinstance(item, dict):
        raise DataError(
            f"a JSON {type(item).__name__}", where, "Give a string or an object with the fields of its kind"
        )
    return Record(item, where)
