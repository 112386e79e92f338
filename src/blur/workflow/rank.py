"""Every method of a task once, side by side, from what a scale has stored."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from blur.config.drawn import table_options
from blur.config.load import require_known
from blur.config.plan import Plan
from blur.config.task import Run as PlannedRun
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError
from blur.core.files import atomic_write_text
from blur.core.paths import data_dir, phase_dir
from blur.planner.methods import cost
from blur.report import wording
from blur.report.ranking import SCORE, Taken, columns, table
from blur.report.runs import DEFAULT, Run, by_method, read_runs
from blur.report.settings import TableSettings
from blur.report.sweeps import learning_rate
from blur.report.unchanged import groups_of, with_changes
from blur.unlearn.settings import UnlearnSettings
from blur.workflow.costs import ended
from blur.workflow.paper import making
from blur.workflow.sweep import judged

HEAD = """\
# {title}: every method

Ours, written by `{command}` from stored results.

Scale `{scale}`, {date}; {machines}; commit {commits}. {there}
Best first, by {by}; bold is the best of a column. Retrained is the reference, target is nothing done. Score is what
sweeps are judged by: the mean of utility kept and of forgetting reached, each no more than 1. Updates are those made,
which are those planned unless both stand there. Passes are those of one update, forward and backward over one batch.
CPU seconds and peak memory are those of the whole job that made the model, measurements at the ends of epochs included,
what was derived beforehand left out.
"""


def write(plan: Plan, task: str, by: str, path: Path) -> None:
    """Write the page of a task.

    Raises:
        ConfigError: there is no such folder or column.
        ArtifactError: there are no results, or none of the retrained model.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"no folder {str(path.parent)!r}", "--to", "Make it, or name another")
    atomic_write_text(path, text(plan, task, by))


def text(plan: Plan, task: str, by: str = SCORE) -> str:
    """Return that page as Markdown."""
    resolved = plan.task(task)
    judges, settings = resolved.benchmark.judged_by, TableSettings(**table_options(resolved))
    shown = columns(judges.forget, judges.utility, settings)
    require_known("column", by, (SCORE, *shown), "--by")
    asked = [run for run in plan.evaluated(task) if run.variant == DEFAULT]
    folders = [phase_dir("metrics", plan.name, run.path) for run in asked]
    done = [folder for folder in folders if (folder / manifests.NAME).is_file()]
    if not done:
        raise ArtifactError("no results yet", str(folders[0]), f"Type `make run SCALE={plan.name} TASK={task}`")
    runs = with_changes(read_runs(done), judges.forget, groups_of(data_dir(plan.name, task)))
    scored = judged(runs, judges)
    taken = {
        seeds[0].method: _taken(plan, task, seeds, scored[key].score if key in scored else None)
        for key, seeds in by_method(runs).items()
    }
    made = [manifests.made(run.models) for run in runs if run.models]
    head = HEAD.format(
        title=resolved.config.title,
        command=f"blur rank --task {task} --scale {plan.name} --by {by}",
        scale=plan.name,
        date=datetime.fromtimestamp(ended(plan.name, done), UTC).date(),
        machines=_list(f"{one['host']['system']} on {one['host']['machine']}" for one in made if "host" in one),
        commits=_list(f"`{one['commit'][:12]}`" for one in made if one.get("commit")),
        there=_there({run.method for run in runs}, [run.method for run in asked]),
        by=wording.in_sentence(by),
    )
    return f"{head}\n{table(runs, shown, taken, settings, by)}\n"


def _taken(plan: Plan, task: str, seeds: Sequence[Run], score: float | None) -> Taken:
    """Return what the models of a method took."""
    planned = [PlannedRun(task, run.method, run.variant, run.seed) for run in seeds]
    spent = [one for run in seeds if run.models and (one := manifests.made(run.models).get("cost"))]
    makings = [making(plan, run) for run in planned]
    settings = None if seeds[0].is_reference else plan.method_settings(planned[0])
    return Taken(
        score=score,
        rate=learning_rate(seeds[0]),
        planned=_mean(one.planned for one in makings),
        made=_mean(one.real for one in makings),
        passes=cost(settings).passes if isinstance(settings, UnlearnSettings) else None,
        cpu_seconds=_mean(one["cpu_seconds"] for one in spent),
        peak_bytes=max((one["peak_memory_bytes"] for one in spent), default=None),
    )


def _there(done: Collection[str], asked: Iterable[str]) -> str:
    """Say how many methods are there, and which are not."""
    wanted = dict.fromkeys(asked)
    missing = [f"`{method}`" for method in wanted if method not in done]
    left = f" Not there yet: {', '.join(missing)}." if missing else ""
    return f"{len(wanted) - len(missing)} of {len(wanted)} methods are there, references among them.{left}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "not told"
