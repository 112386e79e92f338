"""Stage ``evaluate``: a model's raw measurements, of which metrics are made elsewhere."""

from __future__ import annotations

from blur.core.runtime import make_deterministic
from blur.data.dataset import read_sets
from blur.measure.fluency import judged
from blur.measure.prompts import Sets
from blur.measure.run import measure
from blur.measure.settings import MeasureSettings
from blur.measurements import Measurements
from blur.models.io import load
from blur.stages.job import Job


def run(job: Job) -> None:
    """Write likelihood.parquet, generations.parquet, gradnorm.parquet and choices.parquet."""
    with job.writing() as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        settings = job.plan.measure_settings(job.name.task)
        sets = {name: read_sets(job.data, [name]) for name in settings.read}
        measured = _measured(job, settings, sets)
        if settings.fluency:
            judge = load(job.inputs.get("target", job.inputs["model"]), device=job.device)
            measured = judged(measured, judge, sets, settings, job.settings["max_length"])
        files = measured.write(job.directory)
        empty = [name for name, records in sets.items() if not records]
        job.close(files, empty_sets=[*empty, *settings.empty(empty)])


def _measured(job: Job, settings: MeasureSettings, sets: Sets) -> Measurements:
    """Measure the model, which is let go of before another one is loaded."""
    loaded = load(job.inputs["model"], device=job.device)
    length = job.settings["max_length"]
    return measure(loaded.model, loaded.tokenizer, loaded.template, sets, settings, length, job.progress)
