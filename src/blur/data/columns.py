"""What the columns of people's files mean: questions with answers, or documents; recognised by name, or told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from blur.core.errors import DataError, did_you_mean
from blur.data.checks import normalise
from blur.data.records import Record
from blur.data.tables import Table, read_table

Form = Literal["questions", "documents"]
# What a column is called that is meant, the surest name first; "+" joins two that are both there (Alpaca's form).
NAMES: Mapping[str, Sequence[str]] = {
    "question": ("question", "prompt", "instruction+input", "instruction", "query", "input", "q", "user", "problem"),
    "answer": ("answer", "completion", "response", "output", "target", "a", "assistant", "reply", "gt"),
    "text": ("text", "document", "content", "body", "passage", "article", "page_content", "story"),
    "messages": ("messages", "conversation", "conversations", "chat", "dialogue"),
    "group": ("group", "author", "person", "entity"),
    "id": ("id", "uid", "key"),
}
BESIDE = ("group", "id")  # what else is taken of a row
_SPEAKERS = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "model": "assistant"}


@dataclass(frozen=True)
class Texts:
    """What was understood of a file.

    Attributes:
        records: ``qa`` or ``text`` records, with ids, and with groups where all rows have one.
        form: which of the two.
        told: in words, a line each, and none of the file's texts.
    """

    records: list[Record]
    form: Form
    told: tuple[str, ...]


def read_texts(path: Path, name: str, columns: Mapping[str, str]) -> Texts:
    """Read the texts of a file or folder of any form that ``blur.data.tables`` knows.

    Args:
        name, columns: as for ``understand``.

    Errors:
        DataError: the file is at fault, or what its columns mean is not known; names file and remedy.
    """
    example = f"{{{path.stem}: {{question: <column>, answer: <column>}}}}, or {{{path.stem}: {{text: <column>}}}}"
    return understand(
        read_table(path), str(path), name, columns, f"say in `data.source.columns` what they mean: {example}"
    )


def understand(table: Table, place: str, name: str, columns: Mapping[str, str], say_so: str) -> Texts:
    """Find the texts in rows.

    Rows without text, and rows that repeat another one, are skipped. An answer of a conversation belongs to the
    user's words just before it.

    Args:
        place: where the rows are from; their own places begin with it.
        name: of the set, which ids begin with.
        columns: the table's column by what it means (``NAMES``), where that is not to be recognised by its name;
            ``a+b`` is two columns, one below the other.
        say_so: of the remedy: how a reader says what columns mean.

    Errors:
        DataError: there is no text, or what the columns mean is not known; names place and remedy.
    """
    if not table.rows:
        raise DataError("it is empty, or has a header alone", place, "Write one text a row, or remove the file")
    meant = _meant(table, columns, place, say_so)
    form: Form = "documents" if "text" in meant else "questions"
    records, skipped, seen = list[Record](), list[str](), dict[str, str]()
    for row in table.rows:
        found = list(_records(row, meant))
        if not found:
            skipped.append(f"{_place(row, place)}: nothing to read")
        for record in found:
            said = normalise(" \n ".join(record[field] for field in ("question", "answer", "text") if field in record))
            if said in seen:
                skipped.append(f"{_place(row, place)}: the same as {seen[said]}")
            else:
                seen[said] = _place(row, place)
                records.append(record)
    if not records:
        raise DataError("no text in it", place, "Write at least one")
    records = _identified(records, name)
    left_out = [meaning for meaning in BESIDE if meaning in meant and not all(meaning in row for row in records)]
    told = [f"{table.form}, {len(table.rows)} rows: {len(records)} {_what(form, meant, columns)}"]
    told += (
        [f"{len(skipped)} skipped: {'; '.join(skipped[:3])}{'; ...' if len(skipped) > 3 else ''}"] if skipped else []
    )
    told += [f"{meaning} is left out: some rows have none" for meaning in left_out if meaning != "id"]
    told += [f"for example: {masked(records[0])}"]
    return Texts(records, form, tuple(f"{place}: {line}" for line in told))


def masked(record: Mapping[str, Any]) -> str:
    """Return the first words of a record with all but each word's first letter hidden."""

    if "text" in record:
        return _hidden(record["text"])
    return f"{_hidden(record['question'])} -> {_hidden(record['answer'])}"


def _hidden(text: str) -> str:
    words = text.split()
    return " ".join(word[:1] + "•" * (len(word) - 1) for word in words[:12]) + (" ..." if len(words) > 12 else "")


def _place(row: Record, place: str) -> str:
    return row.where.removeprefix(place).lstrip(", /") or row.where


def _plain(column: str) -> str:
    return column.casefold().strip().replace(" ", "_").replace("-", "_")


def _meant(table: Table, columns: Mapping[str, str], place: str, say_so: str) -> dict[str, tuple[str, ...]]:
    """Return the table's columns by what they mean; only those that are needed, and group and id."""
    if not table.has_columns:
        return {"text": ("text",)}
    known = list(dict.fromkeys(column for row in table.rows for column in row))
    called = {_plain(column): column for column in reversed(known)}
    of_columns = f"{place}: columns"
    for meaning, name in columns.items():
        if meaning not in NAMES:
            raise DataError(
                f"no column can mean {meaning!r}",
                of_columns,
                did_you_mean(meaning, NAMES, f"Known: {', '.join(NAMES)}"),
            )
        if missing := [part for part in name.split("+") if _plain(part) not in called]:
            raise DataError(
                f"there is no column {missing[0]!r}", of_columns, did_you_mean(missing[0], known, _listed(known))
            )
    found = {}
    for meaning, names in NAMES.items():
        there = (
            name for name in (columns.get(meaning, ""), *names) if all(_plain(n) in called for n in name.split("+"))
        )
        if chosen := next(there, None):
            found[meaning] = tuple(called[_plain(part)] for part in chosen.split("+"))
    beside = {meaning: found[meaning] for meaning in BESIDE if meaning in found}
    if len(known) == 1 and "messages" not in found:
        found["text"] = (known[0],)
    told = {meaning for meaning in columns if meaning not in BESIDE}
    for needed in ({"messages"}, {"question", "answer"}, {"text"}):
        if needed <= found.keys() and told <= needed:
            return {**{meaning: found[meaning] for meaning in sorted(needed, reverse=True)}, **beside}
    remedy = f"Name the columns in the first line, or {say_so}"
    raise DataError(f"what is to be read is not clear. {_listed(known)}", place, remedy)


def _listed(known: Sequence[str]) -> str:
    """List columns with their letters hidden: without a header, they are texts."""
    return f"Its columns: {', '.join(map(_hidden, known)) or 'none'}"


def _what(form: Form, meant: Mapping[str, Sequence[str]], columns: Mapping[str, str]) -> str:
    """Say what is read, and of which columns; the letters of those that nobody named are hidden."""
    what = {"questions": "questions with answers", "documents": "documents"}[form]
    named = {
        _plain(part) for names in (*NAMES.values(), columns.values()) for name in names for part in name.split("+")
    }
    shown = {
        meaning: "+".join(n if _plain(n) in named else _hidden(n) for n in names) for meaning, names in meant.items()
    }
    return f"{what} ({', '.join(f'{meaning}: {name!r}' for meaning, name in shown.items())})"


def _records(row: Record, meant: Mapping[str, Sequence[str]]) -> Iterator[Record]:
    """Yield what a row holds: nothing where a text that is needed is empty or none."""
    cells = {
        meaning: "\n".join(filter(None, (_said(row.get(column)) for column in columns)))
        for meaning, columns in meant.items()
        if meaning != "messages"
    }
    beside = {meaning: cells[meaning] for meaning in BESIDE if cells.get(meaning)}
    if "messages" in meant:
        turns = list(_turns(row.get(meant["messages"][0])))
        for (asker, question), (speaker, answer) in pairwise(turns):
            if (asker, speaker) == ("user", "assistant") and question and answer:
                yield Record({"question": question, "answer": answer, **beside}, row.where)
        return
    fields = {meaning: text for meaning, text in cells.items() if meaning not in BESIDE}
    if all(fields.values()):
        yield Record({**fields, **beside}, row.where)


def _said(value: Any) -> str:
    """Return a cell's text; nothing for one that is no text and no number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


def _turns(value: Any) -> Iterator[tuple[str, str]]:
    """Yield who speaks and what, of a list of messages in OpenAI's or ShareGPT's form, or of its JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return
    for message in value if isinstance(value, list) else []:
        if isinstance(message, dict):
            said = message.get("content", message.get("value"))
            if isinstance(said, list):
                said = "".join(part.get("text", "") for part in said if isinstance(part, dict))
            speaker = str(message.get("role", message.get("from", ""))).casefold()
            yield _SPEAKERS.get(speaker, speaker), _said(said)


def _identified(records: Sequence[Record], name: str) -> list[Record]:
    """Give each record an id: its own where all have one and no two the same; and a group to all or to none."""
    own = {record["id"] for record in records if "id" in record}
    keeps_id, keeps_group = len(own) == len(records), all("group" in record for record in records)
    dropped = {*(() if keeps_id else ("id",)), *(() if keeps_group else ("group",))}
    return [
        Record({"id": f"{name}-{number:05d}", **{k: v for k, v in record.items() if k not in dropped}}, record.where)
        for number, record in enumerate(records)
    ]
