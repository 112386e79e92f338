"""What the rules share: the plan, and what a stage's record (`blur.config.stages`) says of their jobs."""

import atexit
import os
import sys

from blur.config.check import check
from blur.config.names import PATTERNS
from blur.config.plan import Plan
from blur.config.sources import require_folders
from blur.config.stages import STAGES
from blur.core.errors import BlurError, as_told
from blur.core.fingerprint import load, save
from blur.core.paths import TRACKING
from blur.planner.inputs import read_inputs
from blur.workflow.records import record_manifests
from blur.workflow.resources import Needs
from blur.workflow.versions import of_other_versions
from snakemake.exceptions import WorkflowError

try:
    load()
    PLAN = Plan(overrides=config)
    for task in PLAN.tasks:
        check(PLAN, task)
        require_folders(PLAN, task)
        if workflow.is_main_process:
            read_inputs(PLAN, task)
    NEEDS = Needs(PLAN)
    NEEDS.check()
    JOBS = {(stage, task): list(STAGES[stage].jobs(PLAN, task)) for task in PLAN.tasks for stage in STAGES}
    if workflow.is_main_process:
        atexit.register(save)  # keys are made while Snakemake plans
        record_manifests(PLAN)
        if told := of_other_versions(PLAN):
            print(told, file=sys.stderr)
except (BlurError, OSError) as error:
    raise WorkflowError(str(as_told(error))) from None

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
    derived="[a-z0-9_]+",
    request=PATTERNS["sums"],
    attack=PATTERNS["attack"],


def job_of(stage, wildcards, **further):
    """The job of a stage that a rule's wildcards name."""
    return STAGES[stage].job(**{name: value for name, value in wildcards.items() if name != "scale"}, **further)


def inputs(stage, **further):
    """What the jobs of a stage read: manifests, and behind them the large files, whose age says nothing."""

    def of_job(wildcards):
        folders = STAGES[stage].inputs(PLAN, job_of(stage, wildcards, **further))
        content = [folders[role] / file for role, file in STAGES[stage].content.items() if role in folders]
        return [
            *(str(folder / "manifest.json") for folder in folders.values()),
            *(ancient(str(file)) for file in content),
        ]

    return of_job


def parameter(stage, **further):
    """The one parameter of a stage's jobs: canonical JSON of settings and code fingerprint."""
    return lambda wildcards: STAGES[stage].parameter(PLAN, job_of(stage, wildcards, **further))


def asked(stage):
    """What the jobs of a stage ask of the machine, by wildcards and attempt."""
    return NEEDS.of(STAGES[stage], lambda wildcards: job_of(stage, wildcards))


def files(*stages):
    """All that these stages make, of all tasks that are run. All is named, so that a missing file is made again."""
    return [
        str(path)
        for task in PLAN.tasks
        for stage in stages
        for job in JOBS[stage, task]
        for result in STAGES[stage].results(PLAN, job)
        for path in result.paths
    ]


def fetched_files():
    """What is fetched by name or address, so that nothing else needs the internet; data that is generated comes along."""
    named = {task: PLAN.task(task).model.name_or_path for task in PLAN.tasks}
    jobs = [
        (stage, job)
        for task in PLAN.tasks
        for stage in ("base", "train")
        for job in JOBS[stage, task]
        if (named[task] if stage == "base" else not STAGES[stage].inputs(PLAN, job))
    ]
    results = [result for stage, job in jobs for result in STAGES[stage].results(PLAN, job)]
    return [*files("data"), *(str(path) for result in results for path in result.paths)]
