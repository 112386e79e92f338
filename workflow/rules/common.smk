"""What the rules share: the plan, their one parameter, and the lists of what is to be made."""

from blur.config import keys
from blur.config.plan import Plan, Run
from blur.core.errors import BlurError
from blur.core.paths import phase_dir
from blur.workflow.records import export_provenance
from blur.workflow.resume import mark_running
from snakemake.exceptions import WorkflowError

try:
    PLAN = Plan("config", config)
    for task in PLAN.tasks:
        PLAN.check(task)
    ALL_RUNS = {task: PLAN.runs(task) for task in PLAN.tasks}
except BlurError as error:
    raise WorkflowError(str(error)) from None

SCALE = PLAN.name


wildcard_constraints:
    scale=SCALE,
    task="|".join(PLAN.tasks),
    role="target|retrained",
    method="[a-z0-9_]+",
    variant="[A-Za-z0-9_.+-]+",
    seed=r"\d+",
    figure="[a-z0-9_]+",


onstart:
    mark_running()


def run_of(wildcards):
    """The run that a job's wildcards name."""
    method = wildcards.get("method") or wildcards.get("role")
    return Run(wildcards.task, method, wildcards.get("variant", "default"), int(wildcards.seed))


def parameter(stage):
    """The one parameter of a stage's jobs: canonical JSON of settings and code fingerprint."""

    def of_job(wildcards):
        make = getattr(keys, f"{stage}_key")
        if stage in ("data", "base", "table"):
            return keys.as_parameter(make, PLAN, wildcards.task)
        if stage == "figure":
            return keys.as_parameter(make, PLAN, wildcards.task, wildcards.figure)
        return keys.as_parameter(make, PLAN, run_of(wildcards))

    return of_job


def manifest(phase, run):
    """The manifest of a run in a phase."""
    return str(phase_dir(phase, SCALE, run.path) / "manifest.json")


def weights(run):
    """The weights of a run."""
    return str(phase_dir("models", SCALE, run.path) / "model.safetensors")

