"""The wandb side of a run's records; ``steps.jsonl`` holds the same numbers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@contextmanager
def wandb_run(mode: str, project: str, name: str, settings: Record, folder: Path) -> Iterator[Callable[[Record], None]]:
    """Yield a function that logs a step's record to wandb (``offline`` writes below ``folder`` and sends nothing).

    With ``disabled``, wandb is not even imported.
    """
    if mode == "disabled":
        yield lambda record: None
        return
    run = _start(mode, project, name, settings, folder)
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
            print(f"wandb: no more records of {name}: {error!r}", file=sys.stderr)

    try:
        yield lambda record: attempt(
            lambda: run.log({k: v for k, v in record.items() if v is not None}, step=record["step"])
        )
    finally:
        attempt(run.finish)


def _start(mode: str, project: str, name: str, settings: Record, folder: Path) -> Any:
    """Start a run that collects nothing of its own: the manifest tells of machine, code and libraries."""
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb
    from wandb.sdk.wandb_run import Run

    # Its look for inputs from W&B Launch, which starts no job here, imports Launch and wandb's web interface (0.7 s).
    Run._detect_and_apply_job_inputs = lambda self: None  # type: ignore[method-assign]
    folder.mkdir(parents=True, exist_ok=True)
    options = wandb.Settings(
        init_timeout=60,
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    return wandb.init(project=project, name=name, config=settings, mode=mode, dir=str(folder), settings=options)  # type: ignore[arg-type]
