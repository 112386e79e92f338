"""Snakemake's records of past jobs, in a form that travels with the results.

Snakemake plans from records in ``.snakemake/metadata``, which stay on the machine. After every run, good or bad, they
are exported beside the results; a clone imports those of the outputs whose content is what the record was made for.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from blur.core.errors import ArtifactError
from blur.core.files import atomic_write_text, read_json
from blur.core.hashing import sha256_file
from blur.core.kept import record_path
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import read
from blur.core.paths import provenance_file

METADATA = Path(".snakemake/metadata")
SCHEMA_VERSION = 1


def export_provenance(scale: str) -> int:
    """Write the records of all existing outputs of a scale to its provenance file; return their number.

    A job that was planned with one key and ran with another (a file was edited in between) is no result: its manifest
    is removed, and it is planned again.
    """
    prefixes = (f"results/{scale}/", f"data/{scale}/")
    records = {}
    for path, record in read_records():
        if not path.startswith(prefixes) or not Path(path).is_file():
            continue
        if Path(path).name == MANIFEST and (fault := _fault(Path(path), record)):
            print(f"{path}: {fault}; it will be made again")
            Path(path).unlink()
            continue
        records[path] = {"sha256": _content_hash(Path(path)), "record": record}
    content = {"schema_version": SCHEMA_VERSION, "records": records}
    text = json.dumps(content, indent=0, sort_keys=True) + "\n"
    target = provenance_file(scale)
    if records and not (target.is_file() and target.read_text(encoding="utf-8") == text):
        atomic_write_text(target, text)
    return len(records)


def _fault(path: Path, record: dict[str, Any]) -> str | None:
    """Return why a manifest is none of a finished result; None if it is."""
    try:
        found = read(path.parent)
    except ArtifactError as error:
        return error.what
    if recorded_key(record) != found["key"]:
        return "settings or code were edited while the job waited"
    return None


def import_provenance(scale: str) -> tuple[list[str], list[str]]:
    """Hand Snakemake the records of outputs that are what they were made for.

    Returns:
        Paths whose record was imported, and paths in the records whose file is missing or has another content.
    """
    path = provenance_file(scale)
    records = read_json(path)["records"] if path.is_file() else {}
    good, bad = [], []
    for name, entry in records.items():
        if Path(name).is_file() and _content_hash(Path(name)) == entry["sha256"]:
            write_record(name, entry["record"])
            good.append(name)
        else:
            bad.append(name)
    return good, bad


def read_records() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (output path, record) for each output that Snakemake knows of here."""
    for folder, _, names in os.walk(METADATA):
        parts = [part.removeprefix("@") for part in Path(folder).relative_to(METADATA).parts]
        for name in names:
            try:
                output = urlsafe_b64decode("".join([*parts, name])).decode()
                record = json.loads(Path(folder, name).read_text(encoding="utf-8"))
            except ValueError:  # half-written by a killed run; Snakemake ignores such records as well
                continue
            yield output, record


def write_record(output: str, record: dict[str, Any]) -> None:
    """Store one record where Snakemake looks for it."""
    atomic_write_text(record_path(METADATA, output), json.dumps(record))


def recorded_key(record: dict[str, Any]) -> Any:
    """Return the key (settings and code) that a record was planned with; None if it holds none."""
    import ast

    parameters = record.get("params") or []
    return json.loads(ast.literal_eval(parameters[0])) if len(parameters) == 1 else None


def _content_hash(path: Path) -> str:
    """Hash of an output; of large files the hash in the manifest beside it, which `verify` holds to be true."""
    manifest = path.with_name(MANIFEST)
    if path.name != MANIFEST and manifest.is_file():
        with suppress(ArtifactError):  # an unreadable manifest has no say
            if listed := read(path.parent)["files"].get(path.name):
                return str(listed)
    return sha256_file(path)
