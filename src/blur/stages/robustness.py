"""Stage ``robustness``: the table of what survives the attacks on a task's models."""

from __future__ import annotations

from blur.config.keys import robustness_runs
from blur.report.robustness_table import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job

NAME = "robustness"


def run(job: Job) -> None:
    """Write robustness.md and robustness.csv."""
    before = {run.path: job.directory("metrics", run) for run in robustness_runs(job.plan, job.task_name)}
    attacks = {
        f"{attack} {run.path}": job.directory("attack_metrics", run) / attack
        for run, attack in job.plan.attacks.pairs(job.task_name)
    }
    inputs = before | attacks
    with job.writing(inputs, job.drawing(NAME)) as done:
        if done:
            return
        attacked = with_attacks(read_runs(before.values()), attacks.values())
        told, requests = job.settings["judged_by"], job.settings.get("sequence")
        paths = save(attacked, job.figures, job.settings["title"], **told, requests=requests)
        job.close_drawing(NAME, paths, inputs)
