"""Stage ``data``: build a task's sets, check them, write and hash them."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import Any

from blur.core.errors import asked_in
from blur.data.dataset import write_dataset
from blur.measure.settings import HARNESS, STORED
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write ``data/<scale>/<task>/<set>.jsonl`` and their manifest."""
    with job.writing() as done:
        if done:
            return
        sets = _sets(job)
        files = write_dataset(job.directory, sets)
        counts = {name: len(records) for name, records in sets.items()}
        job.progress.note(", ".join(f"{name} {count}" for name, count in counts.items()))
        job.close(files, counts=counts, chance=job.task.data.describe())


def _sets(job: Job) -> dict[str, list[Any]]:
    """Build the benchmark's sets, and fetch the questions of lm-eval's own tasks beside them."""
    data = job.task.data
    with asked_in(job.task.place("data", "source")) if data.source.kind == "hub" else nullcontext():
        sets = data.build()
    if tasks := job.settings.get("lm_eval"):
        harness = import_module(HARNESS)
        with asked_in(job.task.place("measure", "harness")):
            sets |= {f"{STORED}{task}": harness.fetch(task) for task in tasks}
    return sets
