"""Stage ``robustness``: the table of what survives the attacks on a task's models."""

from __future__ import annotations

from blur.config.drawn import robustness_runs
from blur.report.robustness_table import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write robustness.md and robustness.csv."""
    with job.writing() as done:
        if done:
            return
        before = read_runs(job.inputs[run.path] for run in robustness_runs(job.plan, job.name.task))
        pairs = job.plan.attacks.pairs(job.name.task)
        attacked = with_attacks(before, [job.inputs[f"{attack} {run.path}"] for run, attack in pairs])
        told, requests = job.settings["judged_by"], job.settings.get("sequence")
        folder = job.results[0].files[0].parent
        job.close(save(attacked, folder, job.settings["title"], **told, requests=requests))
