"""The wandb side of a training's records; ``steps.jsonl`` holds the same numbers.

A training is one run of wandb, however often it was interrupted: its id lies with the resume state, and the process
that carries on tells the steps before it again. Of an offline run only the last process's file stays; it holds every
step once.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core import launch
from blur.core.files import atomic_write_text
from blur.core.paths import STEPS, WORK

if TYPE_CHECKING:
    from blur.stages.job import Job

Record = dict[str, Any]
FOLDER = WORK / "wandb"
ID = "wandb.id"


@dataclass(frozen=True)
class Labels:
    """What wandb's pages sort and filter runs by."""

    project: str
    group: str
    name: str
    job_type: str
    tags: tuple[str, ...]

    @classmethod
    def of(cls, job: Job) -> Labels:
        """Return a job's labels: grouped by task and scale, tagged by benchmark, method, variant and seed."""
        run, benchmark, seed = job.run, job.task.config.benchmark, f"seed{job.run.seed}"
        name = filter(None, (job.name.derived, job.name.request, run.method, run.variant, seed))
        return cls(
            project=job.plan.main.tracking.project,
            group=f"{benchmark}/{job.name.task}/{job.scale}",
            name="/".join(name),
            job_type=job.stage.name,
            tags=(benchmark, run.method, run.variant, seed),
        )


@contextmanager
def wandb_run(job: Job) -> Iterator[Callable[[Record], None]]:
    """Yield a function that logs a step's record of a job to wandb, as ``tracking`` in the configuration says.

    ``offline`` writes below ``work/wandb`` and sends nothing. With ``disabled``, and in all but the first of launched
    processes, wandb is not even imported.
    """
    mode = job.plan.main.tracking.wandb if launch.rank() == 0 else "disabled"
    if mode == "disabled":
        yield lambda record: None
        return
    labels, state = Labels.of(job), job.resume_folder()
    run: Any = None
    alive = True

    def attempt(action: Callable[[], object]) -> None:
        """Do without wandb once it fails: on a cluster SIGTERM kills its helper while the stage still saves."""
        nonlocal alive
        if not alive:
            return
        try:
            action()
        except Exception as error:
            alive = False
            print(f"wandb: no more records of {labels.name}: {error!r}", file=sys.stderr)

    def send(record: Record) -> None:
        told = {name: value for name, value in record.items() if value is not None}
        attempt(lambda: run.log(told, step=record["step"]))

    def begin(before: float) -> None:
        """Start the run, and tell it the steps that an earlier process took."""
        nonlocal run
        run = _start(mode, labels, job.settings, state)
        for record in _logged(state, before):
            send(record)

    def log(record: Record) -> None:
        if run is None:
            begin(record["step"])
        send(record)

    try:
        yield log
        if run is None:  # an earlier process took the last step
            begin(float("inf"))
    finally:
        if run is not None:
            attempt(run.finish)


def _logged(state: Path, before: float) -> list[Record]:
    """Return the records of the steps before one, as the training's own log has them."""
    path = state / STEPS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [record for record in map(json.loads, lines) if record["step"] < before]


def _start(mode: str, labels: Labels, settings: Record, state: Path) -> Any:
    """Start a run that collects nothing of its own: the manifest tells of machine, code and libraries."""
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb
    from wandb.sdk.wandb_run import Run

    # Its look for inputs from W&B Launch, which starts no job here, imports Launch and wandb's web interface (0.7 s).
    Run._detect_and_apply_job_inputs = lambda self: None  # type: ignore[method-assign]
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = wandb.Settings(
        init_timeout=60,
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    return wandb.init(
        id=_identity(state),
        resume="allow" if mode == "online" else None,
        project=labels.project,
        group=labels.group,
        name=labels.name,
        job_type=labels.job_type,
        tags=labels.tags,
        config=settings,
        mode=mode,  # type: ignore[arg-type]
        dir=str(FOLDER),
        settings=options,
    )


def _identity(state: Path) -> str:
    """Return the id of a training's run, and remove the offline file that an interrupted process left of it."""
    path = state / ID
    if not path.is_file():
        atomic_write_text(path, secrets.token_hex(8))
    identity = path.read_text(encoding="utf-8")
    for folder in FOLDER.glob(f"wandb/offline-run-*-{identity}"):
        shutil.rmtree(folder, ignore_errors=True)
    return identity
