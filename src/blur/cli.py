"""The command line: every stage of the graph as one command, and what surrounds the graph.

A rule of the workflow and a person type the same command; settings come from the configuration files in both cases.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blur.core.errors import as_told
from blur.core.launch import spread
from blur.core.paths import TRACKING
from blur.core.runtime import set_threads
from blur.core.usage import counted

if TYPE_CHECKING:
    from blur.config.plan import Plan

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
derive = typer.Typer(help="Compute what a method needs of another model beforehand.", no_args_is_help=True)


@app.callback()
def options(
    cold: Annotated[
        bool, typer.Option("--cold", help="Start a new process, even where a warm one is at hand.")
    ] = False,
) -> None:
    """Make a language model forget, and prove it. Each stage of the workflow is one command."""
    # `blur.warm.client`, which runs before this module is imported, has seen to it.


app.add_typer(derive, name="derive", rich_help_panel=None)

Task = Annotated[str, typer.Option(help="A task of the scale: a file of config/tasks.")]
Scale = Annotated[str | None, typer.Option(help="A file of config/scales; config/config.yaml names the default.")]
Method = Annotated[str, typer.Option(help="A file of config/methods; or target, retrained.")]
Variant = Annotated[str, typer.Option(help="A named change of the method's settings.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the run.")]
Attack = Annotated[str, typer.Option(help="A file of config/attacks.")]
Threads = Annotated[
    int, typer.Option(min=1, help="Threads of the numeric libraries; part of a result's identity on a CPU.")
]

Gpus = Annotated[
    int, typer.Option(min=0, help="GPUs of the job; with two or more, as many processes share the model (FSDP2).")
]


def _run(
    stage: str,
    threads: int = 1,
    *,
    scale: str | None,
    task: str,
    request: str = "",
    attack: str = "",
    **names: object,
) -> None:
    """Resolve the settings of one job and run its stage."""
    set_threads(threads)
    from blur.config import keys
    from blur.config.plan import Plan
    from blur.config.task import Run
    from blur.stages.job import Job

    tracking = os.environ.get(TRACKING)
    typed = {"scale": scale, "tracking": json.loads(tracking) if tracking else None}
    plan = Plan("config", {"task": task, **{key: value for key, value in typed.items() if value}})
    identity = (task, names["figure"]) if "figure" in names else (task,)
    run = Run(task, **names) if "method" in names else None  # type: ignore[arg-type]
    plan.require(run or Run(task, "base"))
    keys.require_folders(plan, task)
    further = filter(None, (request, attack))
    key = getattr(keys, f"{stage}_key")(plan, *((run,) if run else identity), *further)
    module = import_module(f"blur.stages.{'figures' if stage == 'figure' else stage}")
    figure: str | None = names.get("figure")  # type: ignore[assignment]
    job = Job(plan, task, run, stage, key, threads, figure=figure, request=request, attack=attack)
    with counted(stage):
        module.run(job)


@app.command()
def data(task: Task, scale: Scale = None) -> None:
    """Build a task's data: fetch or generate, split, check."""
    _run("data", scale=scale, task=task)


@app.command()
def base(task: Task, scale: Scale = None) -> None:
    """Fetch or build a task's base model.

    One that is built from its architecture gets a tokenizer trained on the task's text.
    """
    _run("base", scale=scale, task=task, method="base")


@app.command()
def train(
    task: Task,
    role: Annotated[str, typer.Option(help="target (all data) or retrained (without the forget set).")] = "target",
    seed: Seed = 0,
    scale: Scale = None,
    threads: Threads = 1,
    gpus: Gpus = 1,
) -> None:
    """Fine-tune the target or the retrained model.

    The retrained one never sees the forget set.
    """
    from blur.config.load import require_known

    require_known("role", role, ("target", "retrained"), "--role")
    if gpus > 1 and _is_trained(scale, task, role):
        _require_made(scale, task, role, "default", seed)
        spread(gpus, sys.argv[1:])
    _run("train", threads, scale=scale, task=task, method=role, seed=seed)


@derive.command("reference-sums")
def reference_sums(
    task: Task,
    method: Method = "target",
    variant: Variant = "default",
    seed: Seed = 0,
    request: Annotated[
        str, typer.Option(help="A request of the benchmark, or its `own`; `own@refusals` counts refusals too.")
    ] = "own",
    scale: Scale = None,
    threads: Threads = 1,
) -> None:
    """Compute each forget text's likelihood before unlearning.

    Its logarithm, summed over the text's tokens, is what NPO reads.
    """
    names: dict[str, Any] = {"method": method, "variant": variant, "seed": seed}
    _run("reference_sums", threads, scale=scale, task=task, request=request, **names)


@derive.command("matched-lambda")
def matched_lambda(
    task: Task,
    method: Method = "blur_npo",
    variant: Variant = "default",
    seed: Seed = 0,
    scale: Scale = None,
) -> None:
    """Compute the constant weight nearest to a BLUR run.

    It is 1 / mean(xi).
    """
    _run("matched_lambda", 1, scale=scale, task=task, method=method, variant=variant, seed=seed)


@app.command()
def unlearn(
    task: Task,
    method: Method,
    variant: Variant = "default",
    seed: Seed = 0,
    scale: Scale = None,
    threads: Threads = 1,
    gpus: Gpus = 1,
) -> None:
    """Unlearn the forget set with one method.

    After an interruption it carries on from the last epoch.
    """
    if gpus > 1 and _is_sharded(scale, task, method, variant, seed):
        _require_made(scale, task, method, variant, seed)
        spread(gpus, sys.argv[1:])
    _run("unlearn", threads, scale=scale, task=task, method=method, variant=variant, seed=seed)


@app.command()
def evaluate(
    task: Task,
    method: Method,
    variant: Variant = "default",
    seed: Seed = 0,
    scale: Scale = None,
    threads: Threads = 1,
) -> None:
    """Measure a model: likelihoods, answers, gradient norms."""
    _run("evaluate", threads, scale=scale, task=task, method=method, variant=variant, seed=seed)


@app.command()
def metrics(
    task: Task,
    method: Method,
    variant: Variant = "default",
    seed: Seed = 0,
    scale: Scale = None,
) -> None:
    """Compute metrics from a model's measurements."""
    _run("metrics", 1, scale=scale, task=task, method=method, variant=variant, seed=seed)


@app.command()
def attack(
    task: Task,
    method: Method,
    attack: Attack,
    variant: Variant = "default",
    seed: Seed = 0,
    scale: Scale = None,
    threads: Threads = 1,
) -> None:
    """Attack a copy of a model, and measure what comes back.

    After an interruption it carries on from the last arm.
    """
    _run("attack", threads, scale=scale, task=task, attack=attack, method=method, variant=variant, seed=seed)


@app.command("attack-metrics")
def attack_metrics(
    task: Task,
    method: Method,
    attack: Attack,
    variant: Variant = "default",
    seed: Seed = 0,
    scale: Scale = None,
) -> None:
    """Compute metrics from an attack's measurements."""
    _run("attack_metrics", 1, scale=scale, task=task, attack=attack, method=method, variant=variant, seed=seed)


@app.command()
def figures(
    figure: Annotated[str, typer.Argument(help="A figure of the task's benchmark, for instance tradeoff.")],
    task: Task,
    scale: Scale = None,
) -> None:
    """Draw one figure from stored results."""
    _run("figure", scale=scale, task=task, figure=figure)


@app.command()
def table(task: Task, scale: Scale = None) -> None:
    """Write a task's results table.

    As Markdown, CSV and LaTeX, and a summary in JSON.
    """
    _run("table", scale=scale, task=task)


@app.command()
def robustness(task: Task, scale: Scale = None) -> None:
    """Write the table of what survives a task's attacks."""
    _run("robustness", scale=scale, task=task)


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
    remote: Annotated[str | None, typer.Option(help="DVC remote: URL or folder; the default remote if absent.")] = None,
    scale: Scale = None,
) -> None:
    """Fetch committed results, so that they need not run again."""
    from blur.workflow.store import pull as fetch

    dropped = fetch(_plan(scale).name, remote)
    for name in dropped:
        print(f"dropped: {name}")
    print(f"pulled; {len(dropped)} outputs will be made again" if dropped else "pulled; nothing is to be done")


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
    from blur.config.keys import require_folders
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
def schemas() -> None:
    """Write workflow/schemas/*.json from the typed settings."""
    from blur.config.export import write_schemas

    write_schemas()


def _require_made(scale: str | None, task: str, method: str, variant: str, seed: int) -> None:
    """Refuse a training whose data or first model is not there: one process says so, before several are started."""
    from blur.config.task import Run
    from blur.core import manifest as manifests
    from blur.core.paths import data_dir, phase_dir

    plan, run = _plan(scale, task), Run(task, method, variant, seed)
    plan.require(run)
    start = Run(task, "base") if method in ("target", "retrained") else plan.start(run)
    for folder in (data_dir(plan.name, task), phase_dir("models", plan.name, start.path)):
        manifests.read(folder)


def _is_trained(scale: str | None, task: str, role: str) -> bool:
    """Whether a target or retrained model is trained here; one that is fetched takes one process and no GPU."""
    return getattr(_plan(scale, task).task(task).config, role).kind == "train"


def _is_sharded(scale: str | None, task: str, method: str, variant: str, seed: int) -> bool:
    """Whether the run's weights may be shared out over several GPUs."""
    from blur.config.task import Run

    plan, run = _plan(scale, task), Run(task, method, variant, seed)
    plan.require(run)
    return method in plan.methods and plan.unlearn_settings(run).scope.sharded


def _plan(scale: str | None, task: str | None = None) -> Plan:
    from blur.config.plan import Plan

    return Plan("config", {**({"scale": scale} if scale else {}), **({"task": task} if task else {})})


def main() -> None:
    """Run the command line; a fault of the input ends it with one line, not a traceback."""
    try:
        app(prog_name="blur")
    except Exception as error:
        if (told := as_told(error)) is None:
            raise
        print(f"blur: error: {told}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
