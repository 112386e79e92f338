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
        title, options, module = (job.settings[name] for name in ("title", "options", "module"))
        folder = job.results[0].files[0].parent
        job.close(save(module, runs, folder, stem=job.name.figure, task_title=title, **options))
