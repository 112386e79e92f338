"""Where the warm process of a Snakemake run is to be found, and when there is to be one."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass

from blur.core.processes import start_time

VARIABLE = "BLUR_WARM"


@dataclass(frozen=True)
class Address:
    """The warm process of one Snakemake run.

    Args:
        name: of its socket, in the abstract namespace: no file is left behind, however the process ends.
        owner: process number of Snakemake.
        started: when that process started, which tells it from a later one of the same number.
    """

    name: str
    owner: int
    started: str

    @classmethod
    def read(cls) -> Address | None:
        """Return the address that the environment names; None where jobs are plain processes."""
        text = os.environ.get(VARIABLE)
        return cls.parse(text) if text and "SLURM_JOB_ID" not in os.environ else None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read the form in which an address is handed on; ``ValueError`` where it is none."""
        parts = text.split(":")
        if len(parts) != 3 or not all(parts) or not parts[1].isdigit():
            raise ValueError(f"{VARIABLE} names no warm process: {text!r}")
        return cls(parts[0], int(parts[1]), parts[2])

    def __str__(self) -> str:
        return f"{self.name}:{self.owner}:{self.started}"


def offer(is_local: bool) -> None:
    """Tell the jobs of this Snakemake run, by the environment, where their warm process is; nothing is started yet.

    Args:
        is_local: whether jobs run on this machine. With a cluster's executor even the light ones, which Snakemake runs
            where it is itself, are plain processes.
    """
    os.environ.pop(VARIABLE, None)
    started = start_time(os.getpid())
    if is_local and started and hasattr(os, "pidfd_open") and "SLURM_JOB_ID" not in os.environ:
        os.environ[VARIABLE] = str(Address(f"blur-{secrets.token_hex(16)}", os.getpid(), started))
