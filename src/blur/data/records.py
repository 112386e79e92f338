"""Records as JSON lines: reading, validation by kind, writing."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blur.core.errors import DataError
from blur.core.files import atomic_write_text

Kind = Literal["qa", "text", "completion", "choice"]


class Record(dict[str, Any]):
    """A record that remembers where it was read, so that a later check can name file and line."""

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        super().__init__(fields)
        self.where = where


@dataclass(frozen=True)
class _Form:
    required: tuple[str, ...]
    text: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    integer: tuple[str, ...] = ()


_COMMON = ("id", "group", "topic", "stream")
_FORMS: dict[str, _Form] = {
    "qa": _Form(
        ("question", "answer"),
        ("question", "answer", "paraphrased_question", "paraphrased_answer", *_COMMON),
        ("perturbed_answer", "alternate"),
    ),
    "text": _Form(("text",), ("text", *_COMMON), ("alternate",)),
    "completion": _Form(("prompt", "gt"), ("prompt", "gt", *_COMMON), ("alternate",)),
    "choice": _Form(("question", "choices", "answer"), ("question", *_COMMON), ("choices",), ("answer",)),
}


def read_lines(path: Path | str) -> list[Record]:
    """Read a file of JSON lines (TOFU's ``.json`` files have this form), one object a line; blank lines are skipped.

    Errors:
        DataError: missing file, or a line that is no object of sound JSON (``parse``); names file and line.
    """
    records = []
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            records.append(Record(parse_object(line, where), where))
    return records


def read_bytes(path: Path | str) -> bytes:
    """Return a file's content, without a byte order mark.

    Errors:
        DataError: it cannot be read; names it.
    """
    try:
        return Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        raise DataError("file not found", str(path), "Check the path in the task's data settings") from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", str(path), "Name a readable file") from None


def parse_object(line: bytes, where: str) -> dict[str, Any]:
    """Return the object that a line of JSON is.

    Errors:
        DataError: it is none, or no sound JSON (``parse``).
    """
    value = parse(line, where)
    if not isinstance(value, dict):
        raise DataError(
            f"a JSON {type(value).__name__}, not an object", where, "Write one complete JSON object per line"
        )
    return value


def parse(text: bytes, where: str) -> Any:
    """Return what a piece of JSON says, all of which can be written again as JSON in UTF-8.

    Errors:
        DataError: not UTF-8, malformed, too deep or too long for Python, a key twice, a number that is not finite, or
            half a character.
    """
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite)
        if b"\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 (byte {error.start + 1})", where, "Convert the file: iconv -t utf-8 -f <its encoding>"
        ) from None
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1].encode("unicode_escape").decode()
        raise DataError(f"half a character, {half}", where, "Write both halves of the pair, or remove it") from None
    except json.JSONDecodeError as error:
        raise DataError(
            f"malformed JSON at column {error.colno} ({error.msg})", where, "Write one complete JSON object per line"
        ) from None
    except RecursionError:
        raise DataError("nested too deeply", where, "Write texts and lists of texts") from None
    except ValueError as error:
        raise DataError(f"unfit JSON ({str(error).partition(';')[0]})", where, "Mend the value") from None
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no finite number")
    return number


def read_records(path: Path | str, kind: Kind, *, require: Sequence[str] = ()) -> list[Record]:
    """Read and validate the records of one file.

    Args:
        path: a file of JSON lines.
        kind: the record form, which says what fields there are.
        require: fields that must be there besides those of the kind, e.g. ``id`` or ``perturbed_answer``.
    """
    return validate_records(read_lines(path), kind, require=require)


def validate_records(records: Iterable[Record], kind: Kind, *, require: Sequence[str] = ()) -> list[Record]:
    """Check fields, types and the uniqueness of ids; return the records as a list.

    Errors:
        DataError: missing field, wrong type, empty string or list, duplicate id, a group on some records only; names
            file, line and remedy.
    """
    form = _FORMS[kind]
    seen: dict[str, str] = {}
    checked: list[Record] = []
    for record in records:
        _check_fields(record, kind, form, require)
        if checked and ("group" in record) != ("group" in checked[0]):
            with_group, without = (record, checked[0]) if "group" in record else (checked[0], record)
            what = f'"group" is missing, which {with_group.where} has'
            raise DataError(what, without.where, "Give all records of the file a group, or none")
        name = record.get("id")
        if name in seen:
            raise DataError(f'id "{name}" is also that of {seen[name]}', record.where, "Give each record its own id")
        if name is not None:
            seen[name] = record.where
        checked.append(record)
    return checked


def _check_fields(record: Record, kind: Kind, form: _Form, require: Sequence[str]) -> None:
    for field in (*form.required, *require):
        if field not in record:
            has = ", ".join(sorted(record)) or "nothing"
            raise DataError(
                f'field "{field}" is missing from a {kind} record (it has {has})', record.where, f'Add "{field}"'
            )
    for field, value in record.items():
        if field in form.text:
            _check_string(value, field, record.where)
        elif field in form.texts:
            _check_list(value, field, record.where)
        elif field in form.integer:
            _check_index(value, field, record)


def _check_string(value: Any, field: str, where: str) -> None:
    if not isinstance(value, str):
        raise DataError(f'"{field}" is a {type(value).__name__}, not a string', where, f'Make "{field}" a string')
    if not value.strip():
        raise DataError(f'"{field}" is empty', where, f'Fill in "{field}" or remove the record')


def _check_list(value: Any, field: str, where: str) -> None:
    if not isinstance(value, list):
        raise DataError(
            f'"{field}" is a {type(value).__name__}, not a list', where, f'Make "{field}" a list of strings'
        )
    if not value:
        raise DataError(f'"{field}" is an empty list', where, f'Fill in "{field}" or remove the record')
    for index, item in enumerate(value):
        _check_string(item, f"{field}[{index}]", where)


def _check_index(value: Any, field: str, record: Record) -> None:
    choices = record["choices"]
    if isinstance(value, bool) or not isinstance(value, int):
        raise DataError(
            f'"{field}" is a {type(value).__name__}, not an integer', record.where, "Give the index of the right choice"
        )
    if isinstance(choices, list) and not 0 <= value < len(choices):
        raise DataError(
            f'"{field}" is {value}, but there are {len(choices)} choices',
            record.where,
            "Give the index of the right choice, counted from 0",
        )


def to_jsonl(records: Iterable[Mapping[str, Any]]) -> str:
    """Serialise records as JSON lines: fields in their order, UTF-8 characters as they are, one final newline."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)


def write_records(path: Path | str, records: Iterable[Mapping[str, Any]]) -> None:
    """Write records as JSON lines in one step."""
    atomic_write_text(path, to_jsonl(records))
