"""Stage ``figure``: draw one figure of a task from stored results."""

from __future__ import annotations

from blur.config.keys import is_chosen
from blur.core.paths import RESULTS
from blur.report.figures import save
from blur.report.runs import read_runs, with_attacks
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write <figure>.pdf, .png and .csv."""
    assert job.figure is not None
    config = job.task.benchmark.figures[job.figure]
    chosen = [run for run in job.plan.evaluated(job.task_name) if is_chosen(run, config.runs)]
    pairs = [pair for pair in job.plan.attacked(job.task_name) if pair[0] in chosen and pair[1] in config.attacks]
    runs = read_runs(job.directory("metrics", run) for run in chosen)
    runs = with_attacks(runs, [job.directory("attack_metrics", run) / attack for run, attack in pairs])
    folder = RESULTS / job.scale / "figures" / job.task_name
    save(config.module, runs, folder, stem=job.figure, task_title=job.settings["title"], **job.settings["options"])
    job.progress.note(f"{len(runs)} runs -> {folder / job.figure}.pdf, .png, .csv")
