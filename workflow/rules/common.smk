"""What the rules share: the plan, their one parameter, and the lists of what is to be made."""

import os

from blur.config import keys
from blur.config.check import check
from blur.config.names import PATTERNS
from blur.config.plan import Plan
from blur.config.task import Run
from blur.core.errors import BlurError
from blur.core.files import remove_litter
from blur.core.paths import DATA, RESULTS, TRACKING, phase_dir
from blur.planner.inputs import read_inputs
from blur.warm.offer import offer
from blur.workflow.closing import close
from blur.workflow.keeping import keep_planned, of_other_versions
from blur.workflow.resources import Needs
from blur.workflow.resume import mark_running
from blur.workflow.scheduling import lift_default_rate
from blur.workflow.useful import count
from snakemake.exceptions import WorkflowError

try:
    PLAN = Plan("config", config)
    for task in PLAN.tasks:
        check(PLAN, task)
        keys.require_folders(PLAN, task)
        if workflow.is_main_process:
            read_inputs(PLAN, task)
    NEEDS = Needs(PLAN)
    NEEDS.check()
    ALL_RUNS = {task: PLAN.runs(task) for task in PLAN.tasks}
    ATTACKED = {task: PLAN.attacks.pairs(task) for task in PLAN.tasks}
except BlurError as error:
    raise WorkflowError(str(error)) from None

SCALE = PLAN.name
os.environ[TRACKING] = PLAN.main.tracking.model_dump_json()
FIGURES = sorted({figure for task in PLAN.tasks for figure in PLAN.task(task).benchmark.figures})

# SIGTERM (preemption, the end of a job's time) reaches every process of a job. The stage finishes its step and saves;
# the shell has to wait for that, and `tee` has to take its last lines. Under `--logger blur` they go to the log only.
shell.prefix(
    "set -euo pipefail; trap : TERM;"
    ' tee() {{ trap \'\' TERM; [ -z "${{BLUR_LOGS_ONLY:-}}" ] || exec >/dev/null; exec tee "$@"; }}; '
)


wildcard_constraints:
    scale=SCALE,
    task="|".join(PLAN.tasks),
    role="target|retrained",
    method="[a-z0-9_]+",
    variant=PATTERNS["variant"],
    seed=r"\d+",
    request=PATTERNS["sums"],
    attack=PATTERNS["attack"],


onstart:
    mark_running()
    lift_default_rate(workflow.scheduler)
    for folder in (DATA / SCALE, RESULTS / SCALE):
        remove_litter(folder)
    keep_planned(workflow.dag.needrun_jobs(), is_forced(workflow.dag_settings))
    if told := of_other_versions(SCALE, workflow.dag.needrun_jobs()):
        print(told)
    count(SCALE, workflow.local_exec)
    offer(workflow.local_exec and PLAN.main.workers == "warm" and PLAN.scale.device == "cpu")


def is_forced(asked):
    """Whether a person asked Snakemake to make results again that are there."""
    return bool(asked.forceall or asked.forcerun or asked.forcetargets)


def run_of(wildcards):
    """The run that a job's wildcards name; the base model where they name none."""
    method = wildcards.get("method") or wildcards.get("role") or "base"
    return Run(wildcards.task, method, wildcards.get("variant", "default"), int(wildcards.get("seed", 0)))


def further(wildcards):
    """What names a job besides its run, in a list: the request that reference sums are made for, or the attack."""
    return [wildcards[name] for name in ("request", "attack") if name in wildcards.keys()]


def parameter(stage, *names):
    """The one parameter of a stage's jobs: canonical JSON of settings and code fingerprint.

    Jobs of a run are named by it; those of a task by the task and, for a figure, its name.
    """

    def of_job(wildcards):
        of_task = stage in ("data", "figure", "table", "robustness")
        identity = [wildcards.task, *names] if of_task else [run_of(wildcards), *further(wildcards)]
        return keys.as_parameter(getattr(keys, f"{stage}_key"), PLAN, *identity)

    return of_job


def manifest(phase, run):
    """The manifest of a run in a phase."""
    return str(phase_dir(phase, SCALE, run.path) / "manifest.json")


def weights(run):
    """The weights of a run."""
    return str(phase_dir("models", SCALE, run.path) / "model.safetensors")


def of_run(phase, run, *names):
    """Files of a run in a phase: its manifest and those named."""
    return [str(phase_dir(phase, SCALE, run.path) / name) for name in ("manifest.json", *names)]


def data_files(task):
    """The manifest of a task's data."""
    return [f"data/{SCALE}/{task}/manifest.json"]


def model_files(task):
    """Every model of a task, and what is derived from models. All are named, so that a missing one is made again."""
    resolved = PLAN.task(task)
    trained = "train" in (resolved.config.target.kind, resolved.config.retrained.kind)
    runs = [*([Run(task, "base")] if trained else []), *PLAN.evaluated(task)]
    derived = {(name, source) for run in ALL_RUNS[task] for name, source in keys.derived_inputs(PLAN, run).items()}
    return [
        *(file for run in runs for file in of_run("models", run, "model.safetensors")),
        *(manifest("epochs", run) for run in ALL_RUNS[task]),
        *(file for name, source in sorted(derived) for file in of_run(f"derived/{name}", source)),
    ]


def fetched_files(task):
    """What is fetched by name or address, so that nothing else needs the internet; data that is generated comes along."""
    resolved = PLAN.task(task)
    sources = {"target": resolved.config.target, "retrained": resolved.config.retrained}
    runs = [Run(task, role, seed=source.seed) for role, source in sources.items() if source.kind == "hub"]
    if resolved.model.name_or_path and any(source.kind == "train" for source in sources.values()):
        runs.append(Run(task, "base"))
    return [*data_files(task), *(file for run in runs for file in of_run("models", run, "model.safetensors"))]


def evaluation_files(task):
    """Raw measurements of every model of a task."""
    return [file for run in PLAN.evaluated(task) for file in of_run("evaluation", run, "likelihood.parquet")]


def metrics_files(task):
    """Metrics of every model of a task."""
    return [file for run in PLAN.evaluated(task) for file in of_run("metrics", run, "metrics.json")]


def attack_file(phase, run, attack, name="manifest.json"):
    """A file of an attack on a run in a phase."""
    return f"{phase_dir(phase, SCALE, run.path)}/{attack}/{name}"


def attack_files(task):
    """Raw measurements of every attack of a task, and what came back."""
    return [
        attack_file(phase, *pair, name)
        for pair in ATTACKED[task]
        for phase, name in (("attacks", "likelihood.parquet"), ("attack_metrics", "attack.json"))
        for name in ("manifest.json", name)
    ]


def figure_files(task):
    """Figures and tables of a task, and its summary. All are named, so that a missing one is made again."""
    endings = {name: ("pdf", "png", "csv") for name in keys.drawn(PLAN, task)} | {"results": ("md", "csv", "tex")}
    endings |= {"robustness": ("md", "csv")} if ATTACKED[task] else {}
    return [
        f"results/{SCALE}/summary/{task}.json",
        *(f"results/{SCALE}/drawn/{task}/{name}/manifest.json" for name in endings),
        *(f"results/{SCALE}/figures/{task}/{name}.{ending}" for name in endings for ending in endings[name]),
    ]


def of_all_tasks(*kinds):
    """Files of these kinds of all tasks that are run."""
    return [file for task in PLAN.tasks for files in kinds for file in files(task)]


def train_inputs(wildcards):
    """Data and base model; nothing for a model that is fetched by name."""
    run, task = run_of(wildcards), PLAN.task(wildcards.task)
    if getattr(task.config, run.method).kind == "hub":
        return {}
    base = Run(run.task, "base")
    return {
        "data": f"data/{SCALE}/{run.task}/manifest.json",
        "base": manifest("models", base),
        "weights": ancient(weights(base)),
    }


def unlearn_inputs(wildcards):
    """Data, the model to start from, and the derived data that the run's axes ask for."""
    run = run_of(wildcards)
    start = PLAN.start(run)
    inputs = {
        "data": f"data/{SCALE}/{run.task}/manifest.json",
        "start": manifest("models", start),
        "weights": ancient(weights(start)),
    }
    for name, source in keys.derived_inputs(PLAN, run).items():
        inputs[name] = str(phase_dir("derived", SCALE, f"{name}/{source.path}") / "manifest.json")
    return inputs


def metrics_inputs(wildcards):
    """Measurements of the model and of the retrained one, and those taken while it was unlearned."""
    run, task = run_of(wildcards), PLAN.task(wildcards.task)
    inputs = {
        "evaluation": manifest("evaluation", run),
        "measurements": ancient(str(phase_dir("evaluation", SCALE, run.path) / "likelihood.parquet")),
    }
    if task.retrained and task.retrained != run:
        inputs["retrained"] = manifest("evaluation", task.retrained)
    if run in ALL_RUNS[run.task]:
        inputs["model"] = manifest("models", run)
        inputs["epochs"] = manifest("epochs", run)
    return inputs


def attack_inputs(wildcards):
    """Data, the model, and the target where the attack reads it."""
    run = run_of(wildcards)
    inputs = {
        "data": f"data/{SCALE}/{run.task}/manifest.json",
        "model": manifest("models", run),
        "weights": ancient(weights(run)),
    }
    if PLAN.attacks.settings(run.task, wildcards.attack).of_target:
        target = PLAN.task(run.task).target
        inputs |= {"target": manifest("models", target), "target_weights": ancient(weights(target))}
    return inputs


def attack_metrics_inputs(wildcards):
    """Measurements of the attacked model, and of the retrained one; the data tell whom each item is about."""
    run, task = run_of(wildcards), PLAN.task(wildcards.task)
    inputs = {
        "attack": attack_file("attacks", run, wildcards.attack),
        "measurements": ancient(attack_file("attacks", run, wildcards.attack, "likelihood.parquet")),
        "data": f"data/{SCALE}/{run.task}/manifest.json",
    }
    if task.retrained:
        inputs["retrained"] = manifest("evaluation", task.retrained)
    return inputs


def figure_inputs(figure):
    """Metrics, model manifests and attacks of the runs that a figure's filters choose."""

    def of_job(wildcards):
        runs, pairs = keys.figure_runs(PLAN, wildcards.task, figure)
        unlearned = [run for run in runs if run in ALL_RUNS[wildcards.task]]
        return {
            "metrics": [manifest("metrics", run) for run in runs],
            "models": [manifest("models", run) for run in unlearned],
            "attacks": [attack_file("attack_metrics", *pair) for pair in pairs],
        }

    return of_job


def table_inputs(wildcards):
    """Metrics of every model of a task, and its data, which tell what belongs together."""
    return [*data_files(wildcards.task), *(manifest("metrics", run) for run in PLAN.evaluated(wildcards.task))]


def robustness_inputs(wildcards):
    """What came back in every attack of a task, and the metrics from before."""
    pairs = ATTACKED[wildcards.task]
    before = [manifest("metrics", run) for run in keys.robustness_runs(PLAN, wildcards.task)]
    return [*before, *(attack_file("attack_metrics", *pair) for pair in pairs)]
