"""Stage ``train``: the target model (all data) and the retrained one (without the forget sets), or fetching them."""

from __future__ import annotations

from typing import Any

from blur.core import launch
from blur.core.errors import asked_in
from blur.core.runtime import make_deterministic
from blur.data.dataset import read_sets
from blur.models.io import load, load_pretrained, save
from blur.stages.card import card
from blur.stages.fit import adopt_log, facts, fit, passing, start_device
from blur.stages.job import Job
from blur.stages.sets import examples


def run(job: Job) -> None:
    """Write the model's directory."""
    fetched = job.settings["from"]["kind"] == "hub"
    device = "cpu" if fetched else job.device  # a login node, which fetches, has no GPU
    with launch.joined(device), job.writing() as done:
        if done:
            return
        make_deterministic(job.threads, device)
        files, made, training = (_fetch(job), {}, {}) if fetched else _train(job)
        if launch.rank() > 0:
            return
        job.close(files, made, training=training)
        job.forget_resume_state()


def _fetch(job: Job) -> list[str]:
    if launch.rank() > 0:
        return []
    source, settings = job.settings["from"], job.task.model
    with asked_in(job.task.place(job.run.method, "name")):
        loaded = load_pretrained(
            source["name"],
            source["revision"],
            template=settings.template,
            max_length=settings.max_length,
            tokenizer=source["tokenizer"],
            dtype=settings.dtype,
        )
    return save(loaded.model, loaded.tokenizer, loaded.template, job.directory, card(job))


def _train(job: Job) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    loaded = load(job.inputs["base"], device=start_device(job))
    streams = {"retain": examples(loaded, read_sets(job.data, job.settings["sets"]), job.settings)}
    settings = job.plan.training_settings(job.name.task).model_copy(update={"seed": job.run.seed})
    result = fit(job, loaded.model, streams, settings)
    if launch.rank() > 0:
        return [], {}, {}
    files = save(result.model, loaded.tokenizer, loaded.template, job.directory, card(job))
    return files + adopt_log(result, job.directory), passing(result), facts(result, settings)
