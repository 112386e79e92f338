"""Finished results that Snakemake may still delete: hard links below ``work/kept``, until its record is written.

Snakemake marks the outputs of a job as incomplete until it has seen the job end. Killed before that, it deletes them at
its next start; and it deletes the outputs of every job that it plans again, though only an input was made anew and came
out the same. So a job links what it has finished, and a run links what is whole of the jobs that it plans. A job that
finds its own result here, of the same key and inputs, file by file of the manifest's hashes, puts it back. No
fingerprint covers this module: it decides what is made again, and no result.
"""

from __future__ import annotations

import os
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file
from blur.core.paths import WORK

KEPT = WORK / "kept"
INCOMPLETE = Path(".snakemake/incomplete")


def record_path(folder: Path, output: str) -> Path:
    """Return the file in which Snakemake notes something of an output."""
    limit = os.pathconf(".", "PC_NAME_MAX") - 1
    name = urlsafe_b64encode(output.encode()).decode()
    pieces = [name[i : i + limit] for i in range(0, len(name), limit)]
    return folder.joinpath(*(f"@{piece}" for piece in pieces[:-1]), pieces[-1])


def is_awaited(directory: Path) -> bool:
    """Whether Snakemake has marked the result in a directory as incomplete."""
    return record_path(INCOMPLETE, str(directory / manifests.NAME)).exists()


def keep(directory: Path) -> None:
    """Link the finished result in ``directory``; where the file system has no hard links, nothing is kept."""
    place = KEPT / directory
    forget(directory)
    try:
        files = manifests.read(directory)["files"]
        place.mkdir(parents=True)
        for name, digest in files.items():
            if not (place / digest).exists():  # two files of one content
                os.link(directory / name, place / digest)
        for name in (manifests.MADE, manifests.NAME):
            os.link(directory / name, place / name)
    except (OSError, ArtifactError):
        forget(directory)


def put_back(directory: Path) -> None:
    """Link what is kept of ``directory`` into its place, the manifest last.

    Raises:
        ArtifactError: a kept file is not what its manifest says; nothing was put back.
    """
    place = KEPT / directory
    files = manifests.read(place)["files"]
    for name, digest in files.items():
        if not (place / digest).is_file() or sha256_file(place / digest) != digest:
            raise ArtifactError("is no longer what was kept", str(directory / name))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / manifests.NAME).unlink(missing_ok=True)
    for name, source in [*files.items(), *((name, name) for name in (manifests.MADE, manifests.NAME))]:
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(place / source, target)


def forget(directory: Path) -> None:
    """Keep nothing of ``directory`` any longer."""
    shutil.rmtree(KEPT / directory, ignore_errors=True)
    with suppress(OSError):  # others are kept beside it, or nothing ever was
        os.removedirs((KEPT / directory).parent)


def kept(root: Path) -> Iterator[Path]:
    """Yield the directories below ``root`` of which something is kept."""
    for folder, _, names in os.walk(KEPT / root):
        if names:
            yield Path(folder).relative_to(KEPT)
