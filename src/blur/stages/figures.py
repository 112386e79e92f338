"""Stage ``figure``: draw one figure of a task from stored results."""

from __future__ import annotations

from blur.config.keys import figure_runs
from blur.report.figures import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write <figure>.pdf, .png and .csv."""
    assert job.figure is not None
    chosen, pairs = figure_runs(job.plan, job.task_name, job.figure)
    unlearned = [run for run in chosen if run in job.plan.runs(job.task_name)]
    inputs = {
        **{f"metrics {run.path}": job.directory("metrics", run) for run in chosen},
        **{f"model {run.path}": job.directory("models", run) for run in unlearned},
        **{f"{attack} {run.path}": job.directory("attack_metrics", run) / attack for run, attack in pairs},
    }
    with job.writing(inputs, job.drawing(job.figure)) as done:
        if done:
            return
        runs = read_runs(job.directory("metrics", run) for run in chosen)
        runs = with_attacks(runs, [job.directory("attack_metrics", run) / attack for run, attack in pairs])
        figure = job.plan.figure(job.task_name, job.figure)
        paths = save(figure, runs, job.figures, job.settings["title"], job.figure)
        job.close_drawing(job.figure, paths, inputs)
