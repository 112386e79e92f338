"""An owner's texts: what is to be forgotten, and perhaps what is to be kept, and what no model has seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from blur.core.errors import ConfigError, DataError, did_you_mean
from blur.core.hashing import sha256_json
from blur.data.checks import check_sets
from blur.data.columns import Form, Texts, understand
from blur.data.hub import hub_rows
from blur.data.own import FILES
from blur.data.records import Record
from blur.data.settings import Repository
from blur.data.tables import ENDINGS, Table, read_table

Source = str | Path | Sequence[Mapping[str, Any]]
Columns = Mapping[str, Mapping[str, str]]
_HUB = re.compile(r"(?P<repo>[\w-][\w.-]*/[\w.-]+)(:(?P<name>[\w.-]+))?(@(?P<revision>[\w./-]+))?")
_CONTENT = ("question", "answer", "text", "group")


@dataclass(frozen=True)
class OwnTexts:
    """The texts of an owner, each set checked against the others.

    Attributes:
        form: of all sets.
        sets: records by set: ``forget``, ``retain`` (to keep), ``holdout`` (unseen); the last two may be empty. Ids are
            the set and a number, whatever the owner's own ids are: they get into resume state, and errors.
        told: what was understood, a line each; no text but an example with its letters hidden.
    """

    form: Form
    sets: Mapping[str, list[Record]]
    told: list[str]

    @cached_property
    def sha256(self) -> str:
        """Hash of all that was read, in its order, for reports."""
        return sha256_json([self.form, {name: _content(records) for name, records in self.sets.items()}])


def read_texts(
    forget: Source, keep: Source | None = None, unseen: Source | None = None, columns: Columns | None = None
) -> OwnTexts:
    """Read an owner's texts.

    Args:
        forget: a file or folder of any form that ``blur.data.tables`` knows; a dataset of the Hugging Face hub,
            ``owner/name``, with ``:configuration`` and ``@revision`` where it needs them (its split ``train`` is read);
            or rows.
        keep: texts that the model may go on knowing; None for none.
        unseen: texts like the ones to forget that no model was trained on; None for none.
        columns: by set (``forget``, ``keep``, ``unseen``): a column's name by what it means, where its name does not
            tell it.

    Raises:
        DataError: a source is at fault, the sets are of different forms, or one text is in two of them; names source
            and remedy.
    """
    given: dict[str, Source | None] = {"forget": forget, "keep": keep, "unseen": unseen}
    told = columns or {}
    if unknown := [name for name in told if name not in given]:
        raise ConfigError(
            f"there is no set {unknown[0]!r}", "columns", did_you_mean(unknown[0], given, "forget, keep or unseen")
        )
    read = {
        name: _understood(source, FILES[name], told.get(FILES[name], {}))
        for name in FILES
        if (source := given[FILES[name]]) is not None
    }
    form = read["forget"].form
    for name, texts in read.items():
        if texts.form != form:
            what = f"{texts.form}, and what is to be forgotten is {form}"
            raise DataError(what, _place(given[FILES[name]], FILES[name]), "Give all texts one form")
    sets = {name: _numbered(read[name].records, name) if name in read else [] for name in FILES}
    check_sets(sets, ["forget"])
    lines = [f"{FILES[name]}: {line}" for name, texts in read.items() for line in texts.told]
    return OwnTexts(form, sets, lines)


def parse_columns(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read columns as the command line has them: ``question=Frage,answer=Antwort``, or ``keep.text=Inhalt``.

    Without a set in front, a column is meant in every file.

    Raises:
        ConfigError: another form.
    """
    found: dict[str, dict[str, str]] = {name: {} for name in FILES.values()}
    for piece in (piece.strip() for one in given for piece in one.split(",") if piece.strip()):
        meaning, sign, column = (part.strip() for part in piece.partition("="))
        name, dot, meaning = meaning.rpartition(".")
        if not (sign and column and meaning) or (dot and name not in found):
            remedy = "Write `question=<column>,answer=<column>`; in one file only: `keep.text=<column>`"
            raise ConfigError(f"{piece!r} says nothing", "--columns", remedy)
        for of in [name] if dot else found:
            found[of][meaning] = column
    return {name: meanings for name, meanings in found.items() if meanings}


def _understood(source: Source, name: str, columns: Mapping[str, str]) -> Texts:
    table, place = _table(source, name), _place(source, name)
    example = f"`{name}.question=<column>,{name}.answer=<column>`, or `{name}.text=<column>`"
    return understand(table, place, name, columns, f"say with `columns` what they mean: {example}")


def _place(source: Source | None, name: str) -> str:
    return str(source) if isinstance(source, str | Path) else name


def _table(source: Source, name: str) -> Table:
    if not isinstance(source, str | Path):
        return _rows(source, name)
    path = Path(source)
    named = _HUB.fullmatch(str(source))
    if path.exists():
        return read_table(path)
    if not named or path.suffix.lower() in ENDINGS:
        remedy = f"Name a file that ends with {', '.join(ENDINGS)}, a folder, or a dataset of the hub (owner/name)"
        raise DataError("file not found", str(source), remedy)
    repository = Repository(repo=named["repo"], revision=named["revision"] or "main")
    try:
        rows = hub_rows(repository, named["name"], None)
    except DataError as error:
        what = f"no file or folder here, and as a dataset of the hub it {error.what}"
        raise DataError(what, str(source), error.remedy) from error
    return Table([Record(row, f"{source}, row {number}") for number, row in enumerate(rows, start=1)], "a dataset")


def _rows(rows: Sequence[Mapping[str, Any]], name: str) -> Table:
    """Take rows in memory as a table."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        remedy = 'Give a path, or rows: [{"question": ..., "answer": ...}, ...] or [{"text": ...}, ...]'
        raise DataError("neither a path nor a list of mappings", name, remedy)
    return Table([Record(row, f"{name}, row {number}") for number, row in enumerate(rows, start=1)], "rows in memory")


def _numbered(records: Sequence[Record], name: str) -> list[Record]:
    return [
        Record({**_fields(record), "id": f"{name}-{number:05d}"}, record.where) for number, record in enumerate(records)
    ]


def _content(records: Sequence[Record]) -> list[dict[str, str]]:
    return [_fields(record) for record in records]


def _fields(record: Mapping[str, Any]) -> dict[str, str]:
    return {field: record[field] for field in _CONTENT if field in record}
