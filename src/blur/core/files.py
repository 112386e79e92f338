"""Files that are either whole or absent: write to a temporary name, then rename.

A temporary file or folder is locked for as long as its owner lives, so that what a killed one leaves behind is known.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` if the block succeeds, remove it if not.

    Args:
        path: the final name; missing parent folders are made.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(final)
    temporary.touch()
    with _owned(temporary):
        try:
            yield temporary
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """Make a folder on the file system of ``beside``, in the same folder as it; it is gone after the block."""
    temporary = _temporary(beside)
    temporary.mkdir(parents=True)
    with _owned(temporary):
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary)


def remove_litter(root: Path) -> None:
    """Remove the temporary files and folders below ``root`` whose owner is dead, on whatever machine it lived."""
    for path in list(root.rglob(".*.tmp")):
        with suppress(OSError), _opened(path) as descriptor:  # its owner lives, or the file system has no such lock
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _temporary(final: Path) -> Path:
    return final.with_name(f".{final.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")


@contextmanager
def _owned(path: Path) -> Iterator[None]:
    """Hold the lock of a temporary file or folder, which dies with its holder, where the file system has locks."""
    with _opened(path) as descriptor:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def atomic_write_bytes(path: Path | str, content: bytes) -> None:
    """Write ``content`` to ``path`` in one step."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def atomic_write_text(path: Path | str, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8 in one step."""
    atomic_write_bytes(path, text.encode("utf-8"))


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys; NaN and infinity are refused (``ValueError``)."""
    atomic_write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
