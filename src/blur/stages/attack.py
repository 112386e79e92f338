"""Stage ``attack``: one kind of attack on one model; each arm of it is kept as soon as it is made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.attacks.point import Point, Record
from blur.attacks.victim import Sets, Victim
from blur.core import manifest as manifests
from blur.core.files import read_json, write_json
from blur.core.paths import POINTS
from blur.core.runtime import make_deterministic
from blur.data.dataset import read_sets
from blur.measure.run import Suite
from blur.measurements import Measurements, join_points, write_points
from blur.models.io import load, wrapper_of
from blur.stages.job import Job
from blur.stages.sets import examples

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from blur.attacks.kinds.base import AttackBase
    from blur.measure.settings import MeasureSettings
    from blur.models.encode import Example
    from blur.models.io import LoadedModel


def run(job: Job) -> None:
    """Write the measurements of all points, and ``points.json``: what each point is."""
    attack = job.plan.attacks.settings(job.name.task, job.name.attack)
    with job.writing() as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        folder = job.resume_folder()
        victim = _victim(job, job.plan.attacks.measure(job.name.task, job.name.attack))
        for arm in attack.arms:
            _strike(attack, arm, victim, folder / arm)
        files = _collect(attack, folder, job.directory)
        empty = sorted(name for name, rows in victim.sets.items() if not rows)
        job.close(files, empty_sets=[*empty, *victim.settings.empty(empty)])
        job.forget_resume_state()


def _strike(attack: AttackBase, arm: str, victim: Victim, folder: Path) -> None:
    """Make one arm, unless an earlier try did; ``points.json`` is written last."""
    if (folder / POINTS).is_file():
        return
    points = {f"{arm}/{name}".rstrip("/"): point for name, point in attack.strike(arm, victim).items()}
    write_points(folder, {name: point.measured for name, point in points.items() if point.measured})
    write_json(folder / POINTS, {name: _told(arm, point) for name, point in points.items()})


def _told(arm: str, point: Point) -> dict[str, Any]:
    return {**point.about, "arm": arm, "used": sorted(point.used), "measured": point.measured is not None}


def _collect(attack: AttackBase, folder: Path, directory: Path) -> list[str]:
    told: dict[str, Any] = {}
    for arm in attack.arms:
        told |= read_json(folder / arm / POINTS)
    write_json(directory / POINTS, told)
    return [*join_points([folder / arm for arm in attack.arms], directory), POINTS]


def _victim(job: Job, settings: MeasureSettings) -> Victim:
    model, encoding = job.inputs["model"], job.settings
    known = load(model, device=job.device)
    own = {name: read_sets(job.data, [name]) for name in settings.read}

    def suite(sets: Sets, asked: MeasureSettings) -> Suite:
        return Suite(known.tokenizer, known.template, sets, asked, encoding["max_length"])

    usual = suite(own, settings)

    def measured(
        attacked: PreTrainedModel, sets: Sets | None = None, asked: MeasureSettings | None = None
    ) -> Measurements:
        chosen = suite(sets or own, asked or settings) if sets or asked else usual
        return chosen.measure(attacked)

    def encoded(loaded: LoadedModel, records: Iterable[Record]) -> list[Example]:
        return examples(loaded, [dict(record) for record in records], encoding)

    is_wrapped = wrapper_of(model, manifests.read(model)).name != "none"
    return Victim(
        load=lambda: load(model, device=job.device),
        load_target=lambda: load(job.inputs["target"], device=job.device),
        records=lambda names: read_sets(job.data, names),
        examples=encoded,
        measure=measured,
        sets=own,
        settings=settings,
        bare=(lambda: load(model, device=job.device, bare=True)) if is_wrapped else None,
        is_reference=job.run in (job.task.target, job.task.retrained),
        progress=job.progress,
    )
