"""Errors a person can act on: where it went wrong, what is wrong, what to do about it."""

from __future__ import annotations


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


def one_line(error: BaseException) -> str:
    """Return the type of a library's error and what it says, without line breaks and at most 300 characters of it."""
    text = " ".join(str(error).split())[:300].rstrip(". ")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
