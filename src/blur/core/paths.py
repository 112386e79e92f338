"""Where everything lies, relative to the root of a checkout."""

from __future__ import annotations

from pathlib import Path

TRACKING = "BLUR_TRACKING"  # in the environment: what `snakemake --config tracking=...` said, for the jobs

RESULTS = Path("results")
DATA = Path("data")
WORK = Path("work")

# Files that one stage writes and another reads.
STEPS = "steps.jsonl"  # beside a model: the record of each step that made it
POINTS = "points.json"  # beside an attack's measurements: what each point is


def data_dir(scale: str, task: str) -> Path:
    """Folder of a task's sets."""
    return DATA / scale / task


def phase_dir(phase: str, scale: str, path: str) -> Path:
    """Folder of one run (``task/method/variant/seed<k>``) in one phase."""
    return RESULTS / scale / phase / path


def work_dir(scale: str, path: str) -> Path:
    """Folder of a run's lock and resume state, which is never an output."""
    return WORK / scale / path


def provenance_file(scale: str) -> Path:
    """Snakemake's records of the jobs that made a scale's outputs, in the form that travels."""
    return RESULTS / scale / "provenance" / "records.json"
