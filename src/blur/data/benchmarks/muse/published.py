"""MUSE as published: its configurations from the hub, or the same files in a folder.

Configurations and splits: ``raw`` {forget, retain1, retain2, holdout} and ``privleak`` {forget, retain, holdout} with
``text``; ``verbmem`` {forget} with ``prompt`` and ``gt``; ``knowmem`` {forget_qa, retain_qa, forget_qa_icl,
retain_qa_icl} with ``question`` and ``answer``; News alone has ``scal`` and ``sust`` {forget_1 .. forget_4} with
``text``. In a folder they are ``<configuration>/<split>.json`` (an array, as MUSE's own script writes it) or
``.jsonl``; a text may be a bare string there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from blur.core.errors import DataError
from blur.data.arrays import read_set_file
from blur.data.benchmarks.muse.settings import NUM_FOLDS, REPOSITORIES, Corpus, HubSource, LocalSource
from blur.data.hub import hub_rows
from blur.data.records import Kind, Record, validate_records
from blur.data.settings import Repository

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
    repository = Repository(repo=source.repo or REPOSITORIES[corpus], revision=source.revision)
    return lambda configuration, split: hub_rows(repository, configuration, "MUSE", split)


def _folder(path: Path) -> Load:
    if not path.is_dir():
        raise DataError("no such folder", str(path), "Check `path` in the task's data settings")

    return lambda configuration, split: read_set_file(path / configuration, split)


def _records(rows: Sequence[Record], kind: Kind, name: str) -> list[Record]:
    """Return the rows with ids, and with the fields of their kind only."""
    fields = _FIELDS[kind]
    made = [
        Record({"id": f"{name}-{number:05d}", **{key: row[key] for key in fields if key in row}}, row.where)
        for number, row in enumerate(rows)
    ]
    return validate_records(made, kind)
