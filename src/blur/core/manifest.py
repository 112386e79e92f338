"""Manifests: what a directory holds and what it was made from.

A manifest is written last. A directory without one is no result, whatever files are in it. It holds nothing that two
makings of one result may differ in, so that the hash of the manifest is the result's identity: an input that is made
again with the same content reruns nothing. Cost, host, libraries and commit lie beside it, in ``made.json``.
"""

from __future__ import annotations

import os
import platform
import resource
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from blur import __version__
from blur.core.commit import commit
from blur.core.errors import ArtifactError
from blur.core.files import read_json, write_json
from blur.core.hashing import sha256_file, sha256_json
from blur.core.processes import cpu_seconds
from blur.core.remedy import to_make, to_mend

NAME = "manifest.json"
MADE = "made.json"
SCHEMA_VERSION = 2
LIBRARIES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "datasets", "numpy", "scipy", "pyarrow")


class Clock:
    """What a stage costs: wall time from its start, processor time and peak memory of its whole process."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def read(self) -> dict[str, float | int]:
        """Return ``wall_seconds``, ``cpu_seconds`` (imports and children included) and ``peak_memory_bytes``."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "wall_seconds": round(time.perf_counter() - self._start, 3),
            "cpu_seconds": round(cpu_seconds(), 3),
            "peak_memory_bytes": peak * (1 if sys.platform == "darwin" else 1024),
        }


def library_versions() -> dict[str, str]:
    """Return the installed versions of the libraries that can change a number, and of Python."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def write(
    directory: Path,
    stage: str,
    key: dict[str, Any],
    files: Iterable[str],
    made: Mapping[str, Any] | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Write ``directory/made.json``, then ``manifest.json``, hashing each of ``files``; the last act of a stage.

    Args:
        directory: where the files lie.
        stage: name of the stage that made them.
        key: ``{"settings": ..., "code": ...}``, the one parameter that the workflow records for the job.
        files: names relative to ``directory``.
        made: what may be another the next time, such as the cost.
        facts: inputs' hashes, counts, and whatever else the stage has to tell of the result.
    """
    host = {"machine": platform.machine(), "system": platform.system(), "name": socket.gethostname()}
    versions = {"blur": __version__, "commit": commit(), "libraries": library_versions()}
    write_json(directory / MADE, {**versions, "host": host, **(made or {})})
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "stage": stage,
        "key": key,
        "key_hash": sha256_json(key),
        "files": {name: sha256_file(directory / name) for name in sorted(files)},
        **facts,
    }
    write_json(directory / NAME, manifest)
    return manifest


def read(directory: Path) -> dict[str, Any]:
    """Read a directory's manifest.

    Raises:
        ArtifactError: there is none, so the directory is no finished result; or it cannot be read.
    """
    path = directory / NAME
    if not path.is_file():
        raise ArtifactError("no manifest, so this is no finished result", str(path), to_make(path))
    try:
        found: dict[str, Any] = read_json(path)
        if not {"key", "files"} <= found.keys():
            raise ValueError("it has no key or no files")
    except (ValueError, AttributeError) as error:
        raise ArtifactError(f"not a readable manifest ({error})", str(path), to_mend(path)) from error
    return found


def made(directory: Path) -> dict[str, Any]:
    """Return how a result was made: version of ``blur``, commit, libraries, host, cost; empty where it is not told."""
    with suppress(OSError, ValueError):
        found = read_json(directory / MADE)
        return found if isinstance(found, dict) else {}
    return {}


def check_files(directory: Path, manifest: dict[str, Any], names: Iterable[str] | None = None) -> None:
    """Compare files with the hashes in their manifest.

    Args:
        names: the files to check; all of them by default.

    Raises:
        ArtifactError: a file is missing or has another content; names the file.
    """
    for name in manifest["files"] if names is None else names:
        path = Path(os.path.normpath(directory / name))  # a figure lies elsewhere than its manifest
        if name not in manifest["files"]:
            raise ArtifactError("not listed in the manifest beside it", str(path), to_mend(directory))
        if not path.is_file():
            raise ArtifactError("missing, though its manifest lists it", str(path), to_mend(directory))
        if sha256_file(path) != manifest["files"][name]:
            raise ArtifactError("content differs from the hash in its manifest", str(path), to_mend(directory))
