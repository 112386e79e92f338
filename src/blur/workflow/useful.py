"""The useful share of a run of the graph: CPU seconds of its jobs' work over those of all its processes.

Jobs say what they spent (``blur.core.usage``). All processes are Snakemake, what it started and saw end, and the warm
process with the jobs that it has forked. Where a cluster runs the jobs, nothing is known and nothing is told. It is no
part of the results, so it stays in ``work``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blur.core.files import read_json, write_json
from blur.core.paths import work_dir
from blur.core.processes import cpu_seconds
from blur.core.usage import VARIABLE

TOTAL = "usage.json"


def count(scale: str, is_local: bool) -> None:
    """Forget the run before and, if jobs run on this machine, have them say what they spend; at the start of a run."""
    os.environ.pop(VARIABLE, None)
    _total(scale).unlink(missing_ok=True)
    if is_local:
        path = work_dir(scale, f"usage.{os.getpid()}.jsonl").resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
        os.environ[VARIABLE] = str(path)


def sum_up(scale: str, warm: Callable[[], float]) -> None:
    """Keep what the run spent, once its last job has ended; ``warm`` tells the seconds of its warm process."""
    name = os.environ.pop(VARIABLE, None)
    if name is None:
        return
    path = Path(name)
    jobs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.unlink()
    spent = {
        "num_jobs": len(jobs),
        "useful": sum(job["useful"] for job in jobs),
        "jobs": sum(job["total"] for job in jobs),
        "total": cpu_seconds() + warm(),
    }
    if spent["jobs"] <= spent["total"]:  # not so if the warm process was killed: what it spent is not known
        write_json(_total(scale), spent)


def as_text(scale: str) -> str | None:
    """Return what the last run's processor time went into, in a sentence; None where that is not known."""
    if not _total(scale).is_file():
        return None
    spent: dict[str, Any] = read_json(_total(scale))
    total, useful, jobs, number = spent["total"], spent["useful"], spent["jobs"], spent["num_jobs"]
    shares = {
        "useful work": useful,
        "start-up of jobs": jobs - useful,
        "Snakemake and the warm process": total - jobs,
    }
    told = ", ".join(f"{seconds / total:.0%} {name}" for name, seconds in shares.items())
    return f"The last run ({number} job{'s' if number != 1 else ''}) took {total:.0f} CPU seconds: {told}"


def _total(scale: str) -> Path:
    return work_dir(scale, TOTAL)
