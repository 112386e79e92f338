"""Stage ``metrics``: from raw measurements to numbers with names. Runs no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blur.core import manifest as manifests
from blur.measurements import Measurements, read_epochs
from blur.metrics import compute_all
from blur.metrics.store import trajectory, write_metrics, write_trajectory
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write metrics.json, items.parquet and, for an unlearned model, trajectory.json."""
    assert job.run is not None
    directory, own = job.directory("metrics"), job.directory("evaluation")
    inputs, references = {"evaluation": own}, {}
    retrained = job.task.retrained
    if retrained is not None:
        folder = job.directory("evaluation", retrained)
        references["retrained"] = Measurements.verified(folder)
        if retrained != job.run:
            inputs["retrained"] = folder
    unlearned = job.run.method not in ("target", "retrained")
    if unlearned:
        inputs |= {"model": job.directory("models"), "epochs": job.directory("epochs")}
    with job.writing(inputs, directory) as done:
        if done:
            return
        undefined = frozenset() if retrained else frozenset({"retrained"})
        empty = frozenset(manifests.read(own)["empty_sets"])
        metrics = compute_all(job.settings["metrics"], Measurements.verified(own), references, undefined, empty)
        files = write_metrics(directory, _meta(job, inputs), metrics)
        if unlearned:
            manifests.check_files(inputs["epochs"], manifests.read(inputs["epochs"]))
            epochs = read_epochs(inputs["epochs"])
            files += write_trajectory(directory, trajectory(epochs, job.settings["trajectory"], empty))
        job.close(directory, files, inputs)


def _meta(job: Job, inputs: dict[str, Path]) -> dict[str, Any]:
    """What the results say of themselves: who they are, and the settings as they came out (a matched lambda, say)."""
    assert job.run is not None
    described = job.settings["run"]
    settings = manifests.read(inputs["model"])["settings"] if "model" in inputs else {}
    return {
        "scale": job.scale,
        "task": job.task_name,
        "method": job.run.method,
        "variant": job.run.variant,
        "seed": job.run.seed,
        "inputs": {role: manifests.read(folder)["key_hash"] for role, folder in inputs.items()},
        "settings": {**settings, "title": described["title"], "family": described["family"]},
    }
