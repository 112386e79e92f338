"""Running the loop for a job: resume state, progress, logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core import launch
from blur.core.files import atomic_write_text
from blur.core.hashing import sha256_json
from blur.core.paths import STEPS
from blur.stages.job import Job, hashes
from blur.stages.tracking import wandb_run
from blur.unlearn import distributed
from blur.unlearn.loop import TrainResult, train

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.encode import Example
    from blur.unlearn.settings import UnlearnSettings


def fit(
    job: Job,
    model: Module,
    streams: Mapping[str, Sequence[Example]],
    settings: UnlearnSettings,
    on_epoch_end: Callable[[int, Module], None] | None = None,
    is_enough: Callable[[int], bool] | None = None,
    **references: Any,
) -> TrainResult:
    """Train ``model`` with progress on standard error, records in wandb, and resume state in the job's work folder.

    Launched processes share the work, as the launch says; all of them have to call it.

    A checkpoint made with another key or from other inputs is thrown away.

    Args:
        references: ``reference_sums``, ``reference_model``, ``labels``.
    """
    with wandb_run(job) as log:

        def on_step(record: dict[str, Any], total: int) -> None:
            log(record)
            job.progress(record["step"], total, "step")

        return train(
            model,
            streams,
            settings,
            on_step=on_step,
            on_epoch_end=on_epoch_end,
            is_enough=is_enough,
            checkpoint_dir=job.resume_folder(),
            run_key=sha256_json(hashes(job.inputs)),
            device=job.device,
            sharded=launch.way() == "fsdp2",
            **references,
        )


def start_device(job: Job) -> str:
    """Return where to load a model that is to be trained: whole on a GPU only where it is measured or not sharded."""
    return "cpu" if launch.way() == "fsdp2" and launch.rank() > 0 else job.device


def facts(result: TrainResult, settings: UnlearnSettings) -> dict[str, int | float | str]:
    """Return what a manifest tells of a training: length, the share it reached, how its batch was shared out."""
    return {
        "steps": result.total_steps,
        "planned_steps": result.planned_steps,
        "covered": result.covered,
        "global_batch_size": settings.batch_size,
        "accumulation": settings.accumulation,
        "world_size": distributed.world_size(),
        "parallel": launch.way(),
    }


def passing(result: TrainResult) -> dict[str, int | float]:
    """Return what may be another the next time: the step that the last process began after, seconds in all steps."""
    seconds = sum(record["seconds"] or 0.0 for record in result.records)
    return {"resumed_from": result.resumed_from, "step_seconds": round(seconds, 3)}


def adopt_log(result: TrainResult, directory: Path) -> list[str]:
    """Write the record of each step, without what it took, beside the model; return the file's name in a list."""
    records = ({name: value for name, value in record.items() if name != "seconds"} for record in result.records)
    lines = [json.dumps(record, allow_nan=False) + "\n" for record in records]
    atomic_write_text(directory / STEPS, "".join(lines))
    return [STEPS]
