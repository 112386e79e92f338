"""The stages that draw figures and tables from stored results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from blur.config.drawn import drawn, figure_runs, robustness_runs, table_options
from blur.config.plan import Plan
from blur.config.stages.base import (
    Result,
    Settings,
    Stage,
    data_of,
    folder,
)
from blur.config.task import JobName
from blur.core.paths import phase_dir


class Drawing(Stage):
    """A figure or a table: their files lie together, each manifest in a folder of its own.

    Attributes:
        endings: of its files.
    """

    endings: ClassVar[tuple[str, ...]]

    def stem(self, job: JobName) -> str:
        """Return the name of the files, without their endings."""
        return self.name

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The folder of the manifest, and the files elsewhere."""
        stem, together = self.stem(job), phase_dir("figures", plan.name, job.task)
        files = (together / f"{stem}.{ending}" for ending in self.endings)
        return (Result(phase_dir("drawn", plan.name, f"{job.task}/{stem}"), tuple(files)),)


class Figures(Drawing):
    """One figure."""

    name = "figures"
    help = "Draw one figure from stored results."
    options = ("figure", "task")
    endings = ("pdf", "png", "csv")

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """All figures that can be drawn."""
        return [JobName(task, figure=figure) for figure in drawn(plan, task)]

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """The figure's options."""
        resolved, figure = plan.task(job.task), plan.figure(job.task, job.figure)
        attacks = resolved.figures[job.figure].attacks
        settings = {"title": resolved.config.title, "figure": figure.model_dump(mode="json")}
        return settings | ({"attacks": list(attacks)} if attacks else {})

    def modules(self, plan: Plan, job: JobName) -> Iterable[str]:
        """The one that draws it."""
        return [type(plan.figure(job.task, job.figure)).__module__]

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Metrics, models' manifests and attacks of the runs that the figure's filters choose."""
        runs, pairs = figure_runs(plan, job.task, job.figure)
        unlearned = [run for run in runs if run in plan.runs(job.task)]
        return {
            **{f"metrics {run.path}": folder("metrics", plan, run) for run in runs},
            **{f"model {run.path}": folder("models", plan, run) for run in unlearned},
            **{f"{attack} {run.path}": folder("attack_metrics", plan, run) / attack for run, attack in pairs},
        }

    def stem(self, job: JobName) -> str:
        """The figure's name."""
        return job.figure


class Table(Drawing):
    """The results table."""

    name = "table"
    help = "Write a task's results table.\n\nAs Markdown, CSV and LaTeX, and a summary in JSON."
    endings = ("md", "csv", "tex")

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """Its options, and what judges forgetting."""
        resolved = plan.task(job.task)
        forget = list(resolved.benchmark.judged_by.forget)
        return {"title": resolved.config.title, "options": table_options(resolved), "forget": forget}

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """Metrics of every model, and the data, which tell what belongs together."""
        return {
            **data_of(plan, job.task),
            **{run.path: folder("metrics", plan, run) for run in plan.evaluated(job.task)},
        }

    def stem(self, job: JobName) -> str:
        """Not ``table``: there are two."""
        return "results"

    def results(self, plan: Plan, job: JobName) -> tuple[Result, ...]:
        """The table, and the summary that ``dvc metrics diff`` compares."""
        (table,) = super().results(plan, job)
        summary = phase_dir("summary", plan.name, f"{job.task}.json")
        return (Result(table.directory, (*table.files, summary)),)


class Robustness(Drawing):
    """The table of what survives the attacks."""

    name = "robustness"
    help = "Write the table of what survives a task's attacks."
    endings = ("md", "csv")

    def jobs(self, plan: Plan, task: str) -> Iterable[JobName]:
        """One, where something is attacked."""
        return [JobName(task)] if plan.attacks.pairs(task) else []

    def settings(self, plan: Plan, job: JobName) -> Settings:
        """What judges forgetting and utility, and the sequence of requests that is followed."""
        resolved = plan.task(job.task)
        benchmark = resolved.benchmark
        judges = benchmark.judged_by.model_dump(mode="json", include={"forget", "utility"})
        sequence = {"sequence": benchmark.sequence.model_dump(mode="json")} if benchmark.sequence else {}
        return {"title": resolved.config.title, "judged_by": judges, **sequence}

    def inputs(self, plan: Plan, job: JobName) -> dict[str, Path]:
        """What came back in every attack, and the metrics from before."""
        pairs = plan.attacks.pairs(job.task)
        return {
            **{run.path: folder("metrics", plan, run) for run in robustness_runs(plan, job.task)},
            **{f"{attack} {run.path}": folder("attack_metrics", plan, run) / attack for run, attack in pairs},
        }
