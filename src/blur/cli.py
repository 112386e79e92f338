"""The command line: every stage of the graph as one command, and what surrounds the graph.

A rule of the workflow and a person type the same command; settings come from the configuration files in both cases.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from blur.config.plan import OWN, Plan
from blur.config.sources import require_folders
from blur.config.stages import STAGES, Stage
from blur.config.task import Run
from blur.core import manifest as manifests
from blur.core.errors import as_told
from blur.core.extras import lacking
from blur.core.fingerprint import load
from blur.core.launch import spread
from blur.core.paths import TRACKING
from blur.core.runtime import set_threads
from blur.core.usage import counted
from blur.owner import commands as owner

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options(
    cold: Annotated[
        bool, typer.Option("--cold", help="Start a new process, even where a warm one is at hand.")
    ] = False,
) -> None:
    """Make a language model forget, and prove it. Each stage of the workflow is one command."""
    # `blur.warm.client`, which runs before this module is imported, has seen to it.


Task = Annotated[str, typer.Option(help="A task of the scale: a file of config/tasks.")]
Scale = Annotated[str | None, typer.Option(help="A file of config/scales; config/config.yaml names the default.")]
# What stages ask for, each with its default.
OPTIONS: dict[str, tuple[Any, Any]] = {
    "derived": (Annotated[str, typer.Argument(help="A kind: a file of src/blur/derived.")], Parameter.empty),
    "figure": (
        Annotated[str, typer.Argument(help="A figure of the task's benchmark, for instance tradeoff.")],
        Parameter.empty,
    ),
    "task": (Task, Parameter.empty),
    "role": (Annotated[str, typer.Option(help="target (all data) or retrained (without the forget set).")], "target"),
    "method": (Annotated[str, typer.Option(help="A file of config/methods; or target, retrained.")], Parameter.empty),
    "variant": (Annotated[str, typer.Option(help="A named change of the method's settings.")], "default"),
    "seed": (Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the run.")], 0),
    "request": (
        Annotated[str, typer.Option(help="A request of the benchmark; its own forget set by default.")],
        OWN,
    ),
    "attack": (Annotated[str, typer.Option(help="A file of config/attacks.")], Parameter.empty),
    "scale": (Scale, None),
    "threads": (
        Annotated[
            int, typer.Option(min=1, help="Threads of the numeric libraries; part of a result's identity on a CPU.")
        ],
        1,
    ),
    "gpus": (
        Annotated[
            int,
            typer.Option(min=0, help="GPUs of the job; with two or more, as many processes share the model (FSDP2)."),
        ],
        1,
    ),
}


def _add_command(stage: Stage) -> None:
    """Make a stage a command, with the options that its record names."""
    names = [*stage.options, "scale", *["threads"] * bool(stage.resources), *["gpus"] * stage.spreads]

    def command(**given: Any) -> None:
        _run(stage, **given)

    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=OPTIONS[name][1], annotation=OPTIONS[name][0]) for name in names
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {name: OPTIONS[name][0] for name in names}
    app.command(stage.name.replace("_", "-"), help=stage.help)(command)


for _stage in STAGES.values():
    _add_command(_stage)


def _run(stage: Stage, *, task: str, scale: str | None, threads: int = 1, gpus: int = 1, **names: Any) -> None:
    """Resolve the settings of one job and run its stage."""
    set_threads(threads)
    from blur.stages.job import Job

    load()
    tracking = os.environ.get(TRACKING)
    typed = {"scale": scale, "tracking": json.loads(tracking) if tracking else None}
    plan = Plan(overrides={"task": task, **{key: value for key, value in typed.items() if value}})
    name = stage.job(task, **names)
    plan.require(name.run or Run(task, "base"))
    require_folders(plan, task)
    key = stage.key(plan, name)
    if gpus > 1 and stage.is_sharded(plan, name):
        for folder in stage.inputs(plan, name).values():  # one process says what is missing, before several are started
            manifests.read(folder)
        spread(gpus, sys.argv[1:])
    module = import_module(f"blur.stages.{stage.name}")
    with counted(stage.name):
        module.run(Job(plan, stage, name, key, threads))


@app.command()
def show(
    task: Annotated[str | None, typer.Option(help="One task instead of the scale's.")] = None, scale: Scale = None
) -> None:
    """Print results, what they cost, and where the report is."""
    from blur.workflow.show import show as print_results

    print_results(_plan(scale, task))


@app.command()
def verify(scale: Scale = None) -> None:
    """Check all results, and drop the manifests of bad ones.

    The producer of a result without a manifest is planned again.
    """
    from blur.workflow.verify import verify as check

    problems = check(_plan(scale).name)
    for problem in problems:
        print(problem)
    print(
        f"{len(problems)} bad results; their producers will be planned again" if problems else "all results are whole"
    )
    raise typer.Exit(1 if problems else 0)


@app.command()
def commit(scale: Scale = None) -> None:
    """Verify all results, then record them with DVC."""
    from blur.workflow.store import commit as record

    record(_plan(scale).name)


@app.command()
def pull(
    remote: Annotated[
        str | None, typer.Option(help="DVC remote: name, URL or folder; the default remote if absent.")
    ] = None,
    scale: Scale = None,
) -> None:
    """Fetch committed results, so that they need not run again."""
    from blur.workflow.store import pull as fetch

    dropped = fetch(_plan(scale).name, remote)
    for name in dropped:
        print(f"dropped: {name}")
    print(f"pulled; {len(dropped)} outputs will be made again" if dropped else "pulled; nothing is to be done")


@app.command()
def migrate(scale: Scale = None) -> None:
    """Tell which results of other versions run again, and why.

    It changes nothing. By kind: how many stay, run again and why, or follow what runs again.
    """
    from blur.workflow.versions import as_text

    print(as_text(_plan(scale)))


@app.command()
def unlock() -> None:
    """Clear Snakemake's lock if its owner is proven dead."""
    from blur.workflow.resume import clear_stale_lock

    print("stale lock cleared" if clear_stale_lock() else "not locked")


@app.command()
def plan(
    scale: Scale = None,
    task: Annotated[str | None, typer.Option(help="One task of the scale; all by default.")] = None,
    gpu: Annotated[str, typer.Option(help="A GPU of config/planner.yaml.")] = "h100-80g",
) -> None:
    """Print what fits on a GPU, and what a scale will cost.

    Memory by method; jobs, GPU-hours and gigabytes of the scale.
    """
    from blur.planner.table import show as table

    print(table(_plan(scale, task), gpu))


@app.command()
def check(scale: Scale = None) -> None:
    """Check every file that a scale reads; write nothing.

    Configurations; and of what is on this machine models (all but their numbers), tokenizers and texts.
    """
    from blur.config.check import check as check_task
    from blur.planner.inputs import read_inputs
    from blur.workflow.resources import Needs

    plan = _plan(scale)
    for task in plan.tasks:
        check_task(plan, task)
        require_folders(plan, task)
    Needs(plan).check()
    for task in plan.tasks:
        for line in read_inputs(plan, task):
            print(line)
    print(
        f"configuration of scale {plan.name!r} is sound: {sum(len(plan.runs(t)) for t in plan.tasks)} unlearning runs"
    )


@app.command()
def sweep(task: Task, scale: Scale = "tune") -> None:
    """Print a sweep as CSV, each method's best variant marked.

    The sweeps behind the settings are in docs/sweeps.
    """
    from blur.workflow.sweep import as_csv
    from blur.workflow.sweep import sweep as read_sweep

    print(as_csv(read_sweep(_plan(scale, task), task)), end="")


@app.command()
def paper(
    scale: Scale = "paper",
    to: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/results/paper.md"),
) -> None:
    """Set a scale's results beside the paper's, and others'.

    Its tables and figures as config/published.yaml has them, in three columns.
    """
    from blur.workflow.paper import write

    write(_plan(scale), to)
    print(to)


@app.command()
def rank(
    task: Task,
    scale: Scale = "study",
    by: Annotated[str, typer.Option(help="What sets the order: a column, or the score that sweeps have.")] = "score",
    to: Annotated[Path | None, typer.Option(help="The page to write; docs/results/methods_TASK.md by default.")] = None,
) -> None:
    """Set every method of a task side by side.

    What each forgets and keeps, and what it took: from stored results, where they are there.
    """
    from blur.workflow.rank import write

    page = to or Path(f"docs/results/methods_{task}.md")
    write(_plan(scale, task), task, by, page)
    print(page)


@app.command()
def methods() -> None:
    """Print every method: paper, code, settings, cost, faults.

    It is docs/paper_index.md: `blur methods > docs/paper_index.md` writes it.
    """
    from blur.planner.methods import page

    print(page(_plan(None)), end="")


@app.command()
def schemas() -> None:
    """Write workflow/schemas/*.json from the typed settings."""
    from blur.config.export import write_schemas
    from blur.owner.schema import write_report_schema

    write_schemas()
    write_report_schema()


app.add_typer(owner.app)


def _plan(scale: str | None, task: str | None = None) -> Plan:
    return Plan(overrides={**({"scale": scale} if scale else {}), **({"task": task} if task else {})})


def main() -> None:
    """Run the command line; a fault of the input ends it with one line, not a traceback."""
    try:
        app(prog_name="blur")
    except Exception as error:
        if (told := lacking(error) or as_told(error)) is None:
            raise
        print(f"blur: error: {told}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
