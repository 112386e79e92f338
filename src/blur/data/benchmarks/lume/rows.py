"""LUME's rows, from which all its sets are made, whatever their source: documents cut in two, and their questions.

A row is ``{id, input, output, task}``. The id is the document's, then ``sc`` (the output continues the input) or ``qa``
(the output answers the input), then a number; some documents' ids stand in quotes of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blur.core.errors import DataError
from blur.data.benchmarks.lume.settings import TASKS, Task
from blur.data.records import Record

Records = list[dict[str, Any]]

FIELDS = ("id", "input", "output", "task")
_ID = re.compile(r'"?(?P<group>.+?)"?(?P<kind>sc|qa)\d+')
_REMEDY = "Restore the file as published"


@dataclass(frozen=True)
class Document:
    """One document: the row that it was cut into, and those that ask about it."""

    task: Task
    group: str
    cut: Record
    asked: tuple[Record, ...]

    @property
    def text(self) -> dict[str, Any]:
        """The whole document as a text record."""
        return self._record(self.cut, text=f"{self.cut['input']} {self.cut['output'].strip()}")

    @property
    def completion(self) -> dict[str, Any]:
        """Its beginning, to be continued with its end."""
        return self._record(self.cut, prompt=self.cut["input"], gt=f" {self.cut['output'].strip()}")

    @property
    def questions(self) -> Records:
        """Questions about it."""
        return [self._record(row, question=row["input"], answer=row["output"].strip()) for row in self.asked]

    def _record(self, row: Record, **fields: str) -> dict[str, Any]:
        return Record({"id": row["id"], **fields, "group": self.group, "topic": self.task}, row.where)


def documents(rows: Iterable[Record]) -> dict[Task, list[Document]]:
    """Return the documents that rows are about, by task, in the order of the rows.

    Errors:
        DataError: a field is missing, an id or a task is of another form, or a document has no row that it was cut
            into, or several; names the place.
    """
    found: dict[tuple[Task, str], dict[str, list[Record]]] = {}
    for row in rows:
        task, group, kind = _parsed(row)
        found.setdefault((task, group), {"sc": [], "qa": []})[kind].append(row)
    made: dict[Task, list[Document]] = {task: [] for task in TASKS}
    for (task, group), parts in found.items():
        if len(parts["sc"]) != 1:
            what = f"document {group!r} has {len(parts['sc'])} rows that it is cut into, not one"
            raise DataError(what, (parts["sc"] or parts["qa"])[-1].where, _REMEDY)
        made[task].append(Document(task, group, parts["sc"][0], tuple(parts["qa"])))
    return made


def _parsed(row: Record) -> tuple[Task, str, str]:
    """Return a row's task, document and kind."""
    for field in FIELDS:
        if not isinstance(row.get(field), str) or not row[field].strip():
            raise DataError(f'"{field}" is missing, empty or no string', row.where, _REMEDY)
    match = _ID.fullmatch(row["id"])
    task = next((task for task in TASKS if task == row["task"].lower()), None)
    if match is None or task is None:
        wrong = f'id "{row["id"]}"' if match is None else f'task "{row["task"]}"'
        raise DataError(f"{wrong} is none of LUME's", row.where, _REMEDY)
    return task, match["group"], match["kind"]


def evaluated(side: str, known: Mapping[Task, Sequence[Document]]) -> dict[str, Records]:
    """Return the sets that a side is scored on: completions and questions of each task."""
    sets: dict[str, Records] = {}
    for task in TASKS:
        told = known.get(task, ())
        sets[f"{side}_{task}_completion"] = [document.completion for document in told]
        sets[f"{side}_{task}_question"] = [record for document in told for record in document.questions]
    return sets
