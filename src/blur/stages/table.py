"""Stage ``table``: a task's results table."""

from __future__ import annotations

from blur.core.files import write_json
from blur.core.paths import phase_dir
from blur.report.runs import read_runs
from blur.report.tables import save, summary
from blur.report.unchanged import groups_of, with_changes
from blur.stages.job import Job

NAME = "results"


def run(job: Job) -> None:
    """Write results.md, .csv and .tex, and the summary that ``dvc metrics diff`` compares."""
    inputs = {run.path: job.directory("metrics", run) for run in job.plan.evaluated(job.task_name)}
    with job.writing(inputs, job.drawing(NAME)) as done:
        if done:
            return
        runs = with_changes(read_runs(inputs.values()), job.settings["forget"], groups_of(job.data))
        paths = save(runs, job.figures, task_title=job.settings["title"], stem=NAME, **job.settings["options"])
        told = phase_dir("summary", job.scale, f"{job.task_name}.json")
        write_json(told, summary(runs))
        job.close_drawing(NAME, [*paths, told], inputs)
