"""A built task directory: one file of JSON lines per set, verified by hash when it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file
from blur.core.remedy import to_make, to_mend
from blur.data.records import read_lines, write_records

if TYPE_CHECKING:
    from blur.models.template import Template


def file_name(name: str) -> str:
    """Return the file name of a set."""
    return f"{name}.jsonl"


def write_dataset(directory: Path, sets: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Write each set to ``<set>.jsonl`` in one step each; return the file names, for the manifest to hash."""
    for name, records in sets.items():
        write_records(directory / file_name(name), records)
    return [file_name(name) for name in sets]


def read_set(directory: Path, name: str, manifest: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Read one set of a built directory.

    Args:
        directory: the task's data directory.
        name: the set.
        manifest: with ``files``, a mapping of file name to SHA-256; the file must have that content.

    Errors:
        ArtifactError: there is no such set, or its content differs from the manifest's hash; names the file.
    """
    path = directory / file_name(name)
    if not path.is_file():
        has = ", ".join(sorted(p.stem for p in directory.glob("*.jsonl"))) or "none"
        raise ArtifactError(f"no such set (there are: {has})", str(path), f"{to_make(path)}, or name one of these sets")
    if manifest is not None:
        _verify(path, manifest["files"])
    return list(read_lines(path))


def read_sets(directory: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the records of several sets one after another; each file is checked against the directory's manifest."""
    manifest = manifests.read(directory)
    return [record for name in names for record in read_set(directory, name, manifest)]


def _verify(path: Path, files: Mapping[str, str]) -> None:
    if path.name not in files:
        raise ArtifactError("not listed in the manifest beside it", str(path), to_mend(path))
    if sha256_file(path) != files[path.name]:
        raise ArtifactError("content differs from the hash in its manifest", str(path), to_mend(path))


def texts_of(records: Iterable[Mapping[str, Any]], template: Template) -> list[str]:
    """Return each record whole, to train a tokenizer on: completions as they are, questions in ``template``."""
    return [_full_text(record, template) for record in records]


def _full_text(record: Mapping[str, Any], template: Template) -> str:
    if "text" in record:
        return str(record["text"])
    if "prompt" in record:
        return str(record["prompt"] + record["gt"])
    return template.render(record["question"]) + template.continuation(record["answer"])
