"""Stage ``robustness``: the table of what survives the attacks on a task's models."""

from __future__ import annotations

from blur.config.keys import robustness_runs
from blur.core.paths import RESULTS
from blur.report.robustness_table import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write robustness.md and robustness.csv."""
    pairs = job.plan.attacks.pairs(job.task_name)
    runs = read_runs(job.directory("metrics", run) for run in robustness_runs(job.plan, job.task_name))
    attacked = with_attacks(runs, [job.directory("attack_metrics", run) / attack for run, attack in pairs])
    folder = RESULTS / job.scale / "figures" / job.task_name
    requests = job.settings.get("sequence")
    save(attacked, folder, job.settings["title"], **job.settings["judged_by"], requests=requests)
    job.progress.note(f"{len(pairs)} attacks -> {folder}/robustness.md, .csv")
