"""What must be the same for a warm process to stand in for a process of the job's own."""

from __future__ import annotations

import hashlib
import os
import site
import sys
from collections.abc import Iterator, Sequence

import blur

Identity = dict[str, str]

PACKAGE = os.path.dirname(os.path.abspath(blur.__file__))
# Of the shell that started the job, not of the job.
PASSING = {"_", "PWD", "OLDPWD", "SHLVL"}


def identify(arguments: Sequence[str]) -> Identity:
    """Return what tells a job's process apart; keys are words for the reason why two differ.

    The code is known by size and times of its files. A file that was edited and edited back counts as changed, since
    something may have been imported in between.
    """
    variables = sorted(f"{name}={value}" for name, value in os.environ.items() if name not in PASSING)
    return {
        "number of threads": _threads(arguments),
        "Python environment": f"{sys.prefix} {sys.version}",
        "code": _digest(_stamps(PACKAGE)),
        "installed packages": _digest(_stamp(path) for path in site.getsitepackages()),
        "folder": os.getcwd(),
        "mount namespace": os.readlink("/proc/self/ns/mnt"),
        "environment variables": _digest(iter(variables)),
    }


def difference(own: Identity, other: Identity) -> str | None:
    """Return the first thing in which two processes differ; None if they are alike."""
    return next((name for name in own if own[name] != other.get(name)), None)


def _threads(arguments: Sequence[str]) -> str:
    words = [part for argument in arguments for part in argument.split("=", 1)]
    place = words.index("--threads") + 1 if "--threads" in words else len(words)
    return words[place] if place < len(words) else "1"


def _stamps(folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _stamps(entry.path) if entry.name != "__pycache__" and not entry.is_symlink() else ()
        else:
            yield _stamp(entry.path)


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)
    except FileNotFoundError:  # an editor's lock, a file that is just being replaced
        return f"{path} absent"
    return f"{path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _digest(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
