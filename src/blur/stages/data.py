"""Stage ``data``: build a task's sets, check them, write and hash them."""

from __future__ import annotations

from importlib import import_module

from blur.data.dataset import write_dataset
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write ``data/<scale>/<task>/<set>.jsonl`` and their manifest."""
    with job.writing() as done:
        if done:
            return
        module = import_module(f"blur.data.benchmarks.{job.task.benchmark.module}")
        sets = module.build(job.task.data)
        files = write_dataset(job.directory, sets)
        counts = {name: len(records) for name, records in sets.items()}
        job.progress.note(", ".join(f"{name} {count}" for name, count in counts.items()))
        job.close(files, counts=counts, chance=module.describe(job.task.data))
