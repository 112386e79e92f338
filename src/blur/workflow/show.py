"""What a person wants to see at the end of a run: the table, the cost, where the report is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.config.drawn import table_options
from blur.core.errors import ArtifactError
from blur.core.manifest import NAME as MANIFEST
from blur.core.paths import RESULTS, data_dir, phase_dir
from blur.report.meaning import checks, findings
from blur.report.runs import Run, read_runs, with_attacks
from blur.report.tables import plain
from blur.report.unchanged import groups_of, with_changes
from blur.workflow import useful
from blur.workflow.costs import as_text, costs, of_methods

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from blur.config.plan import Plan
    from blur.config.schema import Judges


def show(plan: Plan) -> None:
    """Print the results table of each task that has one, the cost by rule, and the report's place.

    Raises:
        ArtifactError: no task has results or models yet.
    """
    without = []
    for name in plan.tasks:
        task = plan.task(name)
        folders = [phase_dir("metrics", plan.name, run.path) for run in plan.evaluated(name)]
        done = [folder for folder in folders if (folder / MANIFEST).is_file()]
        if not done:
            without.append(name)
            continue
        print(f"\n{task.config.title}\n")
        runs = with_changes(read_runs(done), task.benchmark.judged_by.forget, groups_of(data_dir(plan.name, name)))
        print(plain(runs, **table_options(task)))
        _tell(with_attacks(runs, _attacks(plan, name)), task.benchmark.judged_by)
        print("\n".join(["", *of_methods(runs)]))
        if len(done) < len(folders):
            print(f"\n{len(folders) - len(done)} of {len(folders)} runs are not done yet.")
    unmeasured = {name: models for name in without if (models := _models(plan, name))}
    if len(without) == len(plan.tasks) and not unmeasured:
        others = sorted(folder.parent.name for folder in RESULTS.glob("*/metrics") if folder.parent.name != plan.name)
        there = "".join(f", or `blur show --scale {name}`, whose results are here" for name in others)
        raise ArtifactError("no results yet", str(RESULTS / plan.name), f"Type `make run SCALE={plan.name}`{there}")
    for name, models in unmeasured.items():
        print(f"\n{name}: made, and not measured yet: {', '.join(models)}.")
        print(f"Type `make run SCALE={plan.name}`, or `blur evaluate` and `blur metrics` for one of them.")
    if none := [name for name in without if name not in unmeasured]:
        print(f"\nNo results yet: {', '.join(none)}.")
    print(f"\n{as_text(*costs(plan.name))}")
    if share := useful.as_text(plan.name):
        print(share)
    report = RESULTS / plan.name / "report.html"
    print(f"\nFigures and tables: {RESULTS / plan.name}/figures")
    print(f"Report: {report}" if report.is_file() else f"No report yet: `make report SCALE={plan.name}`")


def _models(plan: Plan, task: str) -> list[str]:
    """Return the models of a task that are made, as they are named below its folder."""
    folders = {run: phase_dir("models", plan.name, run.path) for run in plan.evaluated(task)}
    return [run.path.partition("/")[2] for run, folder in folders.items() if (folder / MANIFEST).is_file()]


def _attacks(plan: Plan, task: str) -> list[Path]:
    """Return the folders of what came back in the attacks that are done."""
    folders = [phase_dir("attack_metrics", plan.name, run.path) / attack for run, attack in plan.attacks.pairs(task)]
    return [folder for folder in folders if (folder / MANIFEST).is_file()]


def _tell(runs: Sequence[Run], judges: Judges) -> None:
    """Print whether the results mean something, and what they say first."""
    held = checks(runs, judges.forget, judges.utility, judges.unseen)
    print("\nDo these results mean something?" if held else "")
    for check in held:
        print(f"{'yes' if check.holds else 'NO '}  {check.text}")
    for line in findings(runs, judges.forget, judges.utility):
        print(f"     {line}")
