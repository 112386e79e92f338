"""Stage ``table``: a task's results table."""

from __future__ import annotations

from blur.core.files import write_json
from blur.report.runs import read_runs
from blur.report.tables import save, summary
from blur.report.unchanged import groups_of, with_changes
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write results.md, .csv and .tex, and the summary that ``dvc metrics diff`` compares."""
    with job.writing() as done:
        if done:
            return
        *tables, told = job.results[0].files
        measured = read_runs(job.inputs[run.path] for run in job.plan.evaluated(job.name.task))
        runs = with_changes(measured, job.settings["forget"], groups_of(job.data))
        options = job.settings["options"]
        save(runs, tables[0].parent, task_title=job.settings["title"], stem=tables[0].stem, **options)
        write_json(told, summary(runs))
        job.close([*tables, told])
