"""Which commit of its checkout a result was made at."""

from __future__ import annotations

import subprocess
from contextlib import suppress

WHAT_COUNTS = ("src", "config")  # a changed page of the documentation makes no other result
SECONDS = 10


def commit() -> str | None:
    """Return the commit of the checkout in the present folder; ``-changed`` follows where code or settings differ.

    None outside a checkout, and where git is not there or does not answer. Git's index is not written to: a person
    may be at work in it.
    """
    asked = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=all", "--"]
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(
            [*asked, *WHAT_COUNTS], capture_output=True, text=True, check=True, timeout=SECONDS
        ).stdout.splitlines()
        name = next(line.split()[2] for line in told if line.startswith("# branch.oid "))
        changed = any(not line.startswith("#") for line in told)
        return None if name == "(initial)" else name + "-changed" * changed
    return None
