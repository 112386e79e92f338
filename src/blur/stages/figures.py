"""Stage ``figure``: draw one figure of a task from stored results."""

from __future__ import annotations

from blur.config.keys import figure_runs
from blur.core.paths import RESULTS
from blur.report.figures import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write <figure>.pdf, .png and .csv."""
    assert job.figure is not None
    config = job.task.benchmark.figures[job.figure]
    chosen, pairs = figure_runs(job.plan, job.task_name, job.figure)
    runs = read_runs(job.directory("metrics", run) for run in chosen)
    runs = with_attacks(runs, [job.directory("attack_metrics", run) / attack for run, attack in pairs])
    folder = RESULTS / job.scale / "figures" / job.task_name
    save(config.module, runs, folder, stem=job.figure, task_title=job.settings["title"], **job.settings["options"])
    job.progress.note(f"{len(runs)} runs -> {folder / job.figure}.pdf, .png, .csv")
