"""What figures and tables read: which runs, which attacks, under which names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from blur.config.load import validate
from blur.config.plan import Plan
from blur.config.schema import FigureConfig, RunFilter
from blur.config.task import Run, Task
from blur.report.settings import TableSettings


def drawn(plan: Plan, task: str) -> list[str]:
    """Return the names of a task's figures; those of attacks and runs that are not made there are left out."""
    made = {attack for _, attack in plan.attacks.pairs(task)}

    def can_be(figure: FigureConfig) -> bool:
        needed = tuple(chosen for chosen in figure.runs if chosen.needed)
        attacked = made & {*figure.attacks} or not any(chosen.attacked for chosen in figure.runs)
        return bool(attacked) and (not needed or any(is_chosen(run, needed) for run in plan.runs(task)))

    return [name for name, figure in plan.task(task).figures.items() if can_be(figure)]


def figure_runs(plan: Plan, task: str, figure: str) -> tuple[list[Run], list[tuple[Run, str]]]:
    """Return the runs that a figure reads, and the attacks on them."""
    config = plan.task(task).figures[figure]
    made = [pair for pair in plan.attacks.pairs(task) if pair[1] in config.attacks]
    attacked = {run for run, _ in made}
    runs = [
        run
        for run in plan.evaluated(task)
        if is_chosen(run, tuple(chosen for chosen in config.runs if run in attacked or not chosen.attacked))
    ]
    return runs, [pair for pair in made if pair[0] in runs]


def is_chosen(run: Run, filters: tuple[RunFilter, ...]) -> bool:
    """Whether a figure's filters choose a run."""
    return any(
        any(fnmatchcase(run.method, pattern) for pattern in chosen.methods)
        and any(fnmatchcase(run.variant, pattern) for pattern in chosen.variants)
        for chosen in filters
    )


def robustness_runs(plan: Plan, task: str) -> list[Run]:
    """Return the runs that the table of attacks reads: attacked ones, and those of later requests."""
    sequence, runs = plan.task(task).benchmark.sequence, plan.runs(task)
    variants = sequence.variants if sequence else ()
    asked = {(run.method, run.seed) for run in runs if run.variant in variants[1:]}
    later = [run for run in runs if (run.method, run.seed) in asked and run.variant in ("default", *variants)]
    return list(dict.fromkeys([*(run for run, _ in plan.attacks.pairs(task)), *later]))


def table_options(task: Task) -> dict[str, Any]:
    """Return all options of a task's results table, those included that the benchmark tells elsewhere."""
    benchmark = task.benchmark
    told = {"utility": benchmark.judged_by.utility, "requests": sorted(benchmark.requests)}
    where = f"{task.config.benchmark}.yaml: table"
    return validate(TableSettings, ("judged_by, requests", told), (where, benchmark.table)).model_dump(mode="json")


def describe(plan: Plan, run: Run) -> dict[str, str]:
    """Return what tables and figures call a run."""
    if run.method in ("target", "retrained"):
        return {"title": run.method.capitalize(), "family": "reference"}
    method = plan.method(run.method)
    return {"title": method.title, "family": method.family}
