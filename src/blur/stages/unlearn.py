"""Stage ``unlearn``: one method on one task, from the target model to the unlearned one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.config.keys import derived_inputs
from blur.core import launch
from blur.core.errors import DataError
from blur.core.files import atomic_path, read_json
from blur.core.paths import MATCHED_LAMBDA, REFERENCE_SUMS, phase_dir
from blur.core.runtime import make_deterministic
from blur.models.io import load, save
from blur.stages.card import card
from blur.stages.epochs import EpochMeasurements
from blur.stages.fit import adopt_log, facts, fit, forget_resume_state, passing, resume_folder, start_device
from blur.stages.job import Job, hashes
from blur.stages.sets import examples, read_sets, source_of

if TYPE_CHECKING:
    from blur.models import LoadedModel
    from blur.unlearn.settings import UnlearnSettings


def run(job: Job) -> None:
    """Write the unlearned model with ``steps.jsonl`` and, elsewhere, the measurements of each epoch.

    What is measured tells of the texts that are to be forgotten; a model's folder, which people publish, does not.
    """
    inputs = _inputs(job)
    folders = job.directory("epochs"), job.directory("models")
    with launch.joined(job.device), job.writing(inputs, *folders) as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        _unlearn(job, inputs)


def _unlearn(job: Job, inputs: dict[str, Path]) -> None:
    assert job.run is not None
    directory, settings, start = job.directory("models"), _settings(job, inputs), hashes(inputs)
    loaded = load(inputs["start"], device=start_device(job))
    epochs = EpochMeasurements(job, loaded, resume_folder(job, start))
    if launch.rank() == 0:
        epochs(0, loaded.model)
    streams, references = _streams(job, loaded, settings), _references(settings, inputs)
    result = fit(job, loaded.model, streams, settings, start, epochs, **references)
    if launch.rank() > 0:
        return
    measured = job.directory("epochs")
    job.close(measured, epochs.collect(measured), inputs)
    summary = f"Unlearned by the method `{job.run.method}`, starting from {job.plan.start(job.run).path}."
    files = save(result.model, loaded.tokenizer, loaded.template, directory, card(job, summary))
    shutil.rmtree(directory / "epochs", ignore_errors=True)  # where measurements lay up to version 0.1
    if result.adapter:
        files += _adopt_adapter(result.adapter, directory)
    files += adopt_log(result, directory)
    told = {"settings": settings.model_dump(mode="json"), "training": facts(result, settings)}
    job.close(directory, files, inputs, passing(result), **told)
    forget_resume_state(job)


def _inputs(job: Job) -> dict[str, Path]:
    assert job.run is not None
    inputs = {"data": job.data, "start": job.directory("models", job.plan.start(job.run))}
    for name, source in derived_inputs(job.plan, job.run).items():
        inputs[name.partition("/")[0]] = phase_dir(f"derived/{name}", job.scale, source.path)
    return inputs


def _settings(job: Job, inputs: dict[str, Path]) -> UnlearnSettings:
    """Return the run's settings, with lambda taken from another run where the variant says so."""
    assert job.run is not None
    settings = job.plan.unlearn_settings(job.run)
    if "matched_lambda" not in inputs:
        return settings
    value = read_json(inputs["matched_lambda"] / MATCHED_LAMBDA)["lambda"]
    return settings.model_copy(update={"combine": settings.combine.model_copy(update={"lam": value})})


def _streams(job: Job, loaded: LoadedModel, settings: UnlearnSettings) -> dict[str, Any]:
    """Return the examples of each stream that the method reads.

    Raises:
        DataError: nothing is to be forgotten, such as by a request that the data are too small for.
    """
    chosen = {name: job.settings["streams"][name] for name in settings.streams}
    streams = {
        name: [
            example
            for topic, sets in topics.items()
            for example in examples(
                loaded, read_sets(job.data, sets), job.settings, topic, source_of(job.settings, name)
            )
        ]
        for name, topics in chosen.items()
    }
    for name in (term.stream for term in settings.forget if not streams[term.stream]):
        assert job.run is not None
        sets = ", ".join(one for names in chosen[name].values() for one in names)
        remedy = f"Take {job.run.path} out of `runs`, or let the task's data have more to forget"
        raise DataError("there are no records to forget", f"{job.data}: {sets}", remedy)
    return streams


def _references(settings: UnlearnSettings, inputs: dict[str, Path]) -> dict[str, Any]:
    """Load what the losses need of the original model: sums from a file, or the model itself."""
    references: dict[str, Any] = {}
    if "reference_sums" in settings.needs:
        references["reference_sums"] = read_json(inputs["reference_sums"] / REFERENCE_SUMS)
    if settings.needs & {"reference_logits", "reference_hidden"}:
        references["reference_model"] = load(inputs["start"]).model.requires_grad_(False)
    return references


def _adopt_adapter(adapter: Path, directory: Path) -> list[str]:
    """Keep a LoRA adapter beside the merged weights."""
    names = [f"adapter/{path.name}" for path in sorted(adapter.iterdir()) if path.suffix in (".safetensors", ".json")]
    for name in names:
        with atomic_path(directory / name) as temporary:
            temporary.write_bytes((adapter / Path(name).name).read_bytes())
    return names
