"""Stage ``attack_metrics``: from an attack's raw measurements to what came back. Runs no model."""

from __future__ import annotations

from blur.attacks.come_back import told_of_points
from blur.attacks.point import entity
from blur.core import manifest as manifests
from blur.core.files import read_json, write_json
from blur.core.paths import POINTS
from blur.data.dataset import read_sets
from blur.measurements import Measurements, read_points
from blur.stages.job import Job

NAME = "attack.json"
SCHEMA_VERSION = 1


def run(job: Job) -> None:
    """Write ``attack.json``: each point of the attack with its metrics."""
    own = job.inputs["attack"]
    others = {role: job.inputs[role] for role in ("target", "retrained") if role in job.inputs}
    with job.writing() as done:
        if done:
            return
        manifest = manifests.read(own)
        manifests.check_files(own, manifest)
        points = told_of_points(
            read_json(own / POINTS),
            read_points(own),
            job.settings["metrics"],
            job.settings["judged_by"],
            _entities(job),
            {role: Measurements.verified(folder) for role, folder in others.items()},
            frozenset({"retrained"}) - others.keys(),
            frozenset(manifest["empty_sets"]),
        )
        told = {"task": job.name.task, "method": job.run.method, "variant": job.run.variant, "seed": job.run.seed}
        record = {"schema_version": SCHEMA_VERSION, **told, "attack": job.name.attack, **job.settings["attack"]}
        write_json(job.directory / NAME, {**record, "points": points})
        job.close([NAME])


def _entities(job: Job) -> dict[str, dict[str, str]]:
    """Return whom each item is about, by set and by harness request."""
    settings = job.plan.attacks.measure(job.name.task, job.name.attack)
    sets = {
        name: {str(record["id"]): entity(record) for record in read_sets(job.data, [name])} for name in settings.sets
    }
    return sets | {request.name: sets[request.set] for request in settings.harness if request.set}
