"""What a person wants to see at the end of a run: the table, the cost, where the report is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.config.keys import table_options
from blur.core.errors import ArtifactError
from blur.core.manifest import NAME as MANIFEST
from blur.core.paths import RESULTS, phase_dir
from blur.report.runs import read_runs
from blur.report.tables import plain
from blur.workflow import useful
from blur.workflow.costs import as_text, costs

if TYPE_CHECKING:
    from blur.config.plan import Plan


def show(plan: Plan) -> None:
    """Print the results table of each task that has one, the cost by rule, and the report's place.

    Raises:
        ArtifactError: no task has results yet.
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
        print(plain(read_runs(done), **table_options(task)))
        if len(done) < len(folders):
            print(f"\n{len(folders) - len(done)} of {len(folders)} runs are not done yet.")
    if len(without) == len(plan.tasks):
        raise ArtifactError("no results yet", str(RESULTS / plan.name), f"Type `make run SCALE={plan.name}`")
    if without:
        print(f"\nNo results yet: {', '.join(without)}.")
    print(f"\n{as_text(*costs(plan.name))}")
    if share := useful.as_text(plan.name):
        print(share)
    report = RESULTS / plan.name / "report.html"
    print(f"\nFigures and tables: {RESULTS / plan.name}/figures")
    print(f"Report: {report}" if report.is_file() else f"No report yet: `make report SCALE={plan.name}`")
