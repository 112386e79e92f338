"""Stage ``derive``: something that a method reads, made of a model (and texts) beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from blur.config.stages.models import EPOCHS
from blur.core import launch
from blur.core import manifest as manifests
from blur.core.paths import STEPS
from blur.core.runtime import make_deterministic
from blur.derived.base import Source
from blur.stages.job import Job

if TYPE_CHECKING:
    from blur.measure.run import Suite
    from blur.models import LoadedModel
    from blur.models.encode import Example
    from blur.unlearn.settings import UnlearnSettings


def run(job: Job) -> None:
    """Write what the kind makes."""
    kind = job.plan.derived_settings(job.name.task, job.name.derived)
    with launch.joined(job.device), job.writing() as done:
        if done:
            return
        if kind.reads_weights:
            make_deterministic(job.threads, job.device)
        files = kind.make(_source(job), job.directory)
        if launch.rank() == 0:
            job.close(files)
            job.forget_resume_state()


def _source(job: Job) -> Source:
    """Return the model and what is at hand, importing nothing before it is asked for."""
    directory = job.inputs["model"]

    def load() -> LoadedModel:
        from blur.models.io import load as load_model
        from blur.stages.fit import start_device

        return load_model(directory, device=start_device(job))

    def steps() -> list[dict[str, Any]]:
        manifests.check_files(directory, manifests.read(directory), [STEPS])
        return [json.loads(line) for line in (directory / STEPS).read_text(encoding="utf-8").splitlines()]

    def encoded(loaded: LoadedModel, stream: str) -> list[Example]:
        from blur.stages.sets import stream_examples

        return stream_examples(job, loaded, stream)

    def suite(loaded: LoadedModel) -> Suite:
        measured: Suite = import_module(EPOCHS).suite_of(job, loaded)
        return measured

    def trained(loaded: LoadedModel, streams: Mapping[str, Sequence[Example]], settings: UnlearnSettings) -> list[str]:
        from blur.models.io import save
        from blur.stages.card import card
        from blur.stages.fit import fit

        result = fit(job, loaded.model, streams, settings)
        if launch.rank() > 0:
            return []
        return save(result.model, loaded.tokenizer, loaded.template, job.directory, card(job))

    def derived(kind: str) -> Any:
        from blur.stages.sets import made

        return made(job, kind)

    return Source(directory, load, steps, encoded, suite, trained, derived)
