"""Errors a person can act on: where it went wrong, what is wrong, what to do about it."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_REMEDIES = {
    errno.ENOSPC: "Free some space, then type the same command again",
    errno.EDQUOT: "Free some space, then type the same command again",
    errno.EACCES: "Give yourself the right to it",
    errno.EROFS: "Work where you can write",
}


class BlurError(Exception):
    """A fault in the input or the surroundings, never in the program.

    Args:
        what: what is wrong, as a sentence without a final stop.
        where: file, and key or line, that it was found in.
        remedy: what the reader should do.
    """

    def __init__(self, what: str, where: str | None = None, remedy: str | None = None) -> None:
        self.what, self.where, self.remedy = what, where, remedy
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text}. {remedy}" if remedy else text)


class ConfigError(BlurError):
    """A configuration file is wrong."""


class DataError(BlurError):
    """A data file is missing, malformed or contradicts another one."""


class ArtifactError(BlurError):
    """A stored result is missing, incomplete or not what its manifest says."""


@contextmanager
def asked_in(place: str) -> Iterator[None]:
    """Tell of an error where in the configuration that was asked for which cannot be had."""
    try:
        yield
    except BlurError as error:
        where = f"{place}: {error.where}" if error.where else place
        raise type(error)(error.what, where, error.remedy) from error


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """Return the remedy for a name that is none of ``known``: the nearest of them, or else what ``otherwise`` says."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def one_line(error: BaseException) -> str:
    """Return the type of a library's error and what it says, without line breaks and at most 300 characters of it."""
    text = " ".join(str(error).split())[:300].rstrip(". ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def as_told(error: Exception) -> BlurError | None:
    """Return an error as a person is told it; None for a fault of the program.

    What the operating system refuses (the disk is full) is a fault of the surroundings; libraries written in Rust,
    safetensors among them, tell its number in their message alone.
    """
    if isinstance(error, BlurError):
        return error
    number = re.search(r"\(os error (\d+)\)", str(error))
    if isinstance(error, OSError):
        code, file = error.errno or 0, error.filename
    elif number:
        code, file = int(number[1]), None
    else:
        return None
    reason = os.strerror(code) if code else str(error)
    return BlurError(f"{reason[:1].lower()}{reason[1:]}", None if file is None else str(file), _REMEDIES.get(code))
