"""Stage ``train``: the target model (all data) and the retrained one (without the forget sets), or fetching them."""

from __future__ import annotations

from typing import Any

from blur.core import launch
from blur.core.runtime import make_deterministic
from blur.data.dataset import read_sets
from blur.models.io import load, load_pretrained, save
from blur.stages.card import card
from blur.stages.fit import adopt_log, facts, fit, forget_resume_state, passing, start_device
from blur.stages.job import Job, hashes
from blur.stages.sets import examples


def run(job: Job) -> None:
    """Write the model's directory."""
    assert job.run is not None
    fetched = job.settings["from"]["kind"] == "hub"
    inputs = {} if fetched else {"data": job.data, "base": job.directory("models", job.base)}
    device = "cpu" if fetched else job.device  # a login node, which fetches, has no GPU
    with launch.joined(device), job.writing(inputs, job.directory("models")) as done:
        if done:
            return
        make_deterministic(job.threads, device)
        files, made, training = (_fetch(job), {}, {}) if fetched else _train(job)
        if launch.rank() > 0:
            return
        job.close(job.directory("models"), files, inputs, made, training=training)
        forget_resume_state(job)


def _fetch(job: Job) -> list[str]:
    if launch.rank() > 0:
        return []
    source, settings = job.settings["from"], job.task.model
    loaded = load_pretrained(
        source["name"],
        source["revision"],
        template=settings.template,
        max_length=settings.max_length,
        tokenizer=source["tokenizer"],
        dtype=settings.dtype,
    )
    directory = job.directory("models")
    return save(loaded.model, loaded.tokenizer, loaded.template, directory, card(job))


def _train(job: Job) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    assert job.run is not None
    directory, base = job.directory("models"), job.directory("models", job.base)
    loaded = load(base, device=start_device(job))
    streams = {"retain": examples(loaded, read_sets(job.data, job.settings["sets"]), job.settings)}
    settings = job.plan.training_settings(job.task_name).model_copy(update={"seed": job.run.seed})
    inputs = hashes({"data": job.data, "base": base})
    result = fit(job, loaded.model, streams, settings, inputs)
    if launch.rank() > 0:
        return [], {}, {}
    files = save(result.model, loaded.tokenizer, loaded.template, directory, card(job))
    return files + adopt_log(result, directory), passing(result), facts(result, settings)
