"""MUSE as published: its configurations from the hub, or the same files in a folder.

Configurations and splits: ``raw`` {forget, retain1, retain2, holdout} and ``privleak`` {forget, retain, holdout} with
``text``; ``verbmem`` {forget} with ``prompt`` and ``gt``; ``knowmem`` {forget_qa, retain_qa, forget_qa_icl,
retain_qa_icl} with ``question`` and ``answer``; News alone has ``scal`` and ``sust`` {forget_1 .. forget_4} with
``text``. In a folder they are ``<configuration>/<split>.json`` (an array, as MUSE's own script writes it) or
``.jsonl``; a text may be a bare string there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blur.core.errors import DataError
from blur.data.hub import hub_rows
from blur.data.muse.settings import NUM_FOLDS, REPOSITORIES, Corpus, HubSource, LocalSource
from blur.data.records import Kind, Record, read_lines, validate_records

Load = Callable[[str, str], list[Record]]

_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    "text": ("text",),
    "completion": ("prompt", "gt"),
    "qa": ("question", "answer"),
}
_SPLITS: Mapping[str, tuple[Kind, Mapping[str, str]]] = {
    "raw": ("text", {name: name for name in ("forget", "retain1", "retain2", "holdout")}),
    "privleak": ("text", {name: f"privleak_{name}" for name in ("forget", "retain", "holdout")}),
    "verbmem": ("completion", {"forget": "verbmem"}),
    "knowmem": ("qa", {name: name for name in ("forget_qa", "retain_qa", "forget_qa_icl", "retain_qa_icl")}),
}
_REQUESTS = ("scal", "sust")


@dataclass(frozen=True)
class _Repository:
    repo: str
    revision: str


def published_sets(source: HubSource | LocalSource, corpus: Corpus) -> dict[str, list[Record]]:
    """Read every set that a published corpus has.

    Errors:
        DataError: missing or malformed data; names the place and the remedy.
    """
    load = _hub(source, corpus) if isinstance(source, HubSource) else _folder(Path(source.path))
    sets = {
        name: _records(load(configuration, split), kind, name)
        for configuration, (kind, splits) in _SPLITS.items()
        for split, name in splits.items()
    }
    if corpus == "news":
        for request in _REQUESTS:
            for fold in range(1, NUM_FOLDS + 1):
                name = f"{request}_forget_{fold}"
                sets[name] = _records(load(request, f"forget_{fold}"), "text", name)
    return sets


def _hub(source: HubSource, corpus: Corpus) -> Load:
    repository = _Repository(source.repo or REPOSITORIES[corpus], source.revision)
    return lambda configuration, split: hub_rows(repository, configuration, "MUSE", split)


def _folder(path: Path) -> Load:
    if not path.is_dir():
        raise DataError("no such folder", str(path), "Check `path` in the task's data settings")

    def load(configuration: str, split: str) -> list[Record]:
        array, lines = (path / configuration / f"{split}.{ending}" for ending in ("json", "jsonl"))
        return read_lines(lines) if lines.is_file() else _array(array)

    return load


def _array(path: Path) -> list[Record]:
    """Return the items of a JSON array, bare strings as texts, or the objects of JSON lines under the same name."""
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


def _records(rows: Sequence[Record], kind: Kind, name: str) -> list[Record]:
    """Return the rows with ids, and with the fields of their kind only."""
    fields = _FIELDS[kind]
    made = [
        Record({"id": f"{name}-{number:05d}", **{key: row[key] for key in fields if key in row}}, row.where)
        for number, row in enumerate(rows)
    ]
    return validate_records(made, kind)
