"""Stage ``unlearn``: one method on one task, from the target model to the unlearned one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur import models
from blur.config.keys import derived_inputs
from blur.core.files import atomic_path, read_json
from blur.core.paths import phase_dir
from blur.core.runtime import make_deterministic
from blur.measure.run import measure_epoch, passages_of
from blur.measurements import LikelihoodRow, read_epochs, write_epochs
from blur.stages import matched_lambda, reference_sums
from blur.stages.card import card
from blur.stages.fit import adopt_log, facts, fit, forget_resume_state, resume_folder
from blur.stages.job import Job, hashes
from blur.stages.sets import examples, read_sets

if TYPE_CHECKING:
    from blur.models import LoadedModel
    from blur.unlearn.settings import UnlearnSettings

EPOCHS = "epochs.parquet"


def run(job: Job) -> None:
    """Write the unlearned model with ``steps.jsonl`` and the measurements of each epoch."""
    inputs = _inputs(job)
    directory = job.directory("models")
    with job.writing(directory, inputs) as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        settings, start = _settings(job, inputs), hashes(inputs)
        loaded = models.load(inputs["target"], device=job.device)
        epochs = EpochMeasurements(job, loaded, resume_folder(job, start))
        epochs(0, loaded.model)
        result = fit(job, loaded.model, _streams(job, loaded), settings, start, epochs, **_references(settings, inputs))
        summary = f"{job.plan.method(job.run.method).title}, starting from the target model."  # type: ignore[union-attr]
        files = models.save(result.model, loaded.tokenizer, loaded.template, directory, card(job, summary))
        if result.adapter:
            files += _adopt_adapter(result.adapter, directory)
        files += adopt_log(job, start, directory) + epochs.collect(directory)
        job.close(directory, files, inputs, settings=settings.model_dump(mode="json"), training=facts(result, settings))
        forget_resume_state(job)


def _inputs(job: Job) -> dict[str, Path]:
    assert job.run is not None
    inputs = {"data": job.data, "target": job.directory("models", job.task.target)}
    for name, source in derived_inputs(job.plan, job.run).items():
        inputs[name] = phase_dir(f"derived/{name}", job.scale, source.path)
    return inputs


def _settings(job: Job, inputs: dict[str, Path]) -> UnlearnSettings:
    """Return the run's settings, with lambda taken from another run where the variant says so."""
    assert job.run is not None
    settings = job.plan.unlearn_settings(job.run)
    if "matched_lambda" not in inputs:
        return settings
    value = read_json(inputs["matched_lambda"] / matched_lambda.NAME)["lambda"]
    return settings.model_copy(update={"combine": settings.combine.model_copy(update={"lam": value})})


def _streams(job: Job, loaded: LoadedModel) -> dict[str, Any]:
    length = job.settings["max_length"]
    return {name: examples(loaded, read_sets(job.data, sets), length) for name, sets in job.settings["streams"].items()}


def _references(settings: UnlearnSettings, inputs: dict[str, Path]) -> dict[str, Any]:
    """Load what the losses need of the original model: sums from a file, or the model itself."""
    references: dict[str, Any] = {}
    if "reference_sums" in settings.needs:
        references["reference_sums"] = read_json(inputs["reference_sums"] / reference_sums.NAME)
    if "reference_logits" in settings.needs:
        references["reference_model"] = models.load(inputs["target"]).model.requires_grad_(False)
    return references


def _adopt_adapter(adapter: Path, directory: Path) -> list[str]:
    """Keep a LoRA adapter beside the merged weights."""
    names = [f"adapter/{path.name}" for path in sorted(adapter.iterdir()) if path.suffix in (".safetensors", ".json")]
    for name in names:
        with atomic_path(directory / name) as temporary:
            temporary.write_bytes((adapter / Path(name).name).read_bytes())
    return names


class EpochMeasurements:
    """Measures a cheap subset at each epoch's end; each epoch is a file of its own until the run is done."""

    def __init__(self, job: Job, loaded: LoadedModel, folder: Path) -> None:
        settings = job.plan.epoch_settings(job.task_name)
        sets = {name: read_sets(job.data, [name]) for name in settings.sets}
        length = job.settings["max_length"]
        self._passages = passages_of(loaded.tokenizer, loaded.template, sets, settings, length)
        self._max_batch_tokens, self._folder = settings.max_batch_tokens, folder

    def __call__(self, epoch: int, model: Any) -> None:
        """Measure ``model`` after ``epoch`` epochs."""
        path = self._folder / f"epoch{epoch:04d}.parquet"
        if epoch > 0 or not path.is_file():
            write_epochs(path, {epoch: measure_epoch(model, self._passages, self._max_batch_tokens)})

    def collect(self, directory: Path) -> list[str]:
        """Write all epochs into one file beside the model; return its name in a list."""
        epochs: dict[int, list[LikelihoodRow]] = {}
        for path in sorted(self._folder.glob("epoch*.parquet")):
            epochs |= {epoch: list(measured.likelihood_rows) for epoch, measured in read_epochs(path).items()}
        write_epochs(directory / EPOCHS, epochs)
        return [EPOCHS]
