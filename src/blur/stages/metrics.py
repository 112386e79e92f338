"""Stage ``metrics``: from raw measurements to numbers with names. Runs no model."""

from __future__ import annotations

from typing import Any

from blur.core import manifest as manifests
from blur.measurements import Measurements, read_epochs
from blur.metrics import compute_all
from blur.metrics.store import trajectory, write_metrics, write_trajectory
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write metrics.json, items.parquet and, for an unlearned model, trajectory.json."""
    own, roles = job.inputs["evaluation"], {"target": job.task.target, "retrained": job.task.retrained}
    with job.writing() as done:
        if done:
            return
        found = {role: own if run == job.run else job.inputs.get(role) for role, run in roles.items()}
        references = {role: Measurements.verified(folder) for role, folder in found.items() if folder}
        undefined = frozenset() if roles["retrained"] else frozenset({"retrained"})
        empty = frozenset(manifests.read(own)["empty_sets"])
        metrics = compute_all(job.settings["metrics"], Measurements.verified(own), references, undefined, empty)
        files = write_metrics(job.directory, _meta(job), metrics)
        if folder := job.inputs.get("epochs"):
            manifests.check_files(folder, manifests.read(folder))
            epochs = read_epochs(folder)
            files += write_trajectory(job.directory, trajectory(epochs, job.settings["trajectory"], empty))
        job.close(files)


def _meta(job: Job) -> dict[str, Any]:
    """What the results say of themselves: who they are, the settings as they came out (a matched lambda, an epoch)."""
    described, inputs = job.settings["run"], job.inputs
    made = manifests.read(inputs["model"]) if "model" in inputs else {}
    settings = made.get("settings", {}) | ({"selected": made["selected"]} if "selected" in made else {})
    return {
        "scale": job.scale,
        "task": job.name.task,
        "method": job.run.method,
        "variant": job.run.variant,
        "seed": job.run.seed,
        "inputs": {role: manifests.read(folder)["key_hash"] for role, folder in inputs.items()},
        "settings": {**settings, "title": described["title"], "family": described["family"]},
    }
