"""Stage ``data``: build a task's sets, check them, write and hash them."""

from __future__ import annotations

from blur.data.dataset import write_dataset
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write ``data/<scale>/<task>/<set>.jsonl`` and their manifest."""
    with job.writing() as done:
        if done:
            return
        sets = job.task.data.build()
        files = write_dataset(job.directory, sets)
        counts = {name: len(records) for name, records in sets.items()}
        job.progress.note(", ".join(f"{name} {count}" for name, count in counts.items()))
        job.close(files, counts=counts, chance=job.task.data.describe())
