"""Snakemake's records of past jobs, in a form that travels with the results.

Snakemake plans from records in ``.snakemake/metadata``, which stay on the machine. After every run, good or bad, they
are exported beside the results; a clone imports those of the outputs whose content is what the record was made for.

Snakemake takes a result without a record as it finds it, so one that was typed by hand would outlive any change of its
settings. Before it plans, the records are therefore made to say what the manifests say.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from blur.config.plan import Plan
from blur.config.stages import STAGES, Result
from blur.core.errors import ArtifactError
from blur.core.files import atomic_write_text, read_json
from blur.core.hashing import canonical_json, sha256_file
from blur.core.kept import is_awaited, record_path
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import read
from blur.core.paths import provenance_file
from blur.workflow.standing import unfit

METADATA = Path(".snakemake/metadata")
SCHEMA_VERSION = 1
SNAKEMAKE_S = 6  # the form in which Snakemake compares parameters


def record_manifests(plan: Plan) -> None:
    """Make Snakemake's records of a plan's results say with which key each was made, by its manifest.

    A result that lacks a file, or was made of other inputs than those that are there, is recorded as made with no key,
    so that it is planned. What Snakemake makes just now is left to it.
    """
    for task in plan.tasks:
        for stage in STAGES.values():
            for job in stage.jobs(plan, task):
                inputs = stage.inputs(plan, job)
                for result in stage.results(plan, job):
                    _record_manifest(result, inputs)


def _record_manifest(result: Result, inputs: Mapping[str, Path]) -> None:
    try:
        found = read(result.directory)
    except ArtifactError:  # no result: it is planned as it is
        return
    if is_awaited(result.directory):
        return
    params = [] if unfit(result.directory, found, inputs) else [repr(canonical_json(found["key"]))]
    was = found.get("inputs", {})
    read_of = {str(folder / MANIFEST): f"sha256:{was[role]}" for role, folder in inputs.items() if role in was}
    for output in map(str, result.paths):
        record = _read_record(record_path(METADATA, output)) or {"record_format_version": SNAKEMAKE_S}
        if record.get("params") != params:
            write_record(output, {**record, "params": params, "input_checksums": read_of})


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
    if (key := recorded_key(record)) != found["key"]:
        return "not whole, or made of other inputs" if key is None else "settings or code were edited meanwhile"
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
            except ValueError:
                continue
            if record := _read_record(Path(folder, name)):
                yield output, record


def _read_record(path: Path) -> dict[str, Any] | None:
    """Return a record; None where there is none, or a killed run has half-written it: Snakemake ignores it as well."""
    try:
        found: dict[str, Any] = read_json(path)
    except (OSError, ValueError):
        return None
    return found


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
