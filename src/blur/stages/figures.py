"""Stage ``figures``: draw one figure of a task from stored results."""

from __future__ import annotations

from blur.config.drawn import figure_runs
from blur.report.figures import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write <figure>.pdf, .png and .csv."""
    with job.writing() as done:
        if done:
            return
        chosen, pairs = figure_runs(job.plan, job.name.task, job.name.figure)
        runs = read_runs(job.inputs[f"metrics {run.path}"] for run in chosen)
        runs = with_attacks(runs, [job.inputs[f"{attack} {run.path}"] for run, attack in pairs])
        figure, folder = job.plan.figure(job.name.task, job.name.figure), job.results[0].files[0].parent
        job.close(save(figure, runs, folder, job.settings["title"], job.name.figure))
