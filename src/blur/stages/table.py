"""Stage ``table``: a task's results table."""

from __future__ import annotations

from blur.core.files import write_json
from blur.core.paths import RESULTS
from blur.report.runs import read_runs
from blur.report.tables import save, summary
from blur.report.unchanged import groups_of, with_changes
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write results.md, .csv and .tex, and the summary that ``dvc metrics diff`` compares."""
    runs = read_runs(job.directory("metrics", run) for run in job.plan.evaluated(job.task_name))
    runs = with_changes(runs, job.settings["forget"], groups_of(job.data))
    folder = RESULTS / job.scale / "figures" / job.task_name
    save(runs, folder, task_title=job.settings["title"], **job.settings["options"])
    write_json(RESULTS / job.scale / "summary" / f"{job.task_name}.json", summary(runs))
    job.progress.note(f"{len(runs)} runs -> {folder}/results.md, .csv, .tex")
