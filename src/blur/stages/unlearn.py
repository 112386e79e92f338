"""Stage ``unlearn``: one method on one task, from the target model to the unlearned one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from blur.config.stages import STAGES
from blur.config.stages.models import SELECTION
from blur.core import launch
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, DataError
from blur.core.files import atomic_path
from blur.core.remedy import to_make
from blur.core.runtime import make_deterministic
from blur.edits.base import AtHand, EditSettings
from blur.models.io import load, save
from blur.models.wrappers.base import FOLDER
from blur.stages.card import card
from blur.stages.epochs import EpochMeasurements
from blur.stages.fit import adopt_log, facts, fit, passing, start_device
from blur.stages.job import Job, hashes
from blur.stages.sets import stream_examples
from blur.unlearn.losses.base import LABELS, LIVE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from blur.models import LoadedModel
    from blur.stages.selection import Selection
    from blur.unlearn.settings import UnlearnSettings


def run(job: Job) -> None:
    """Write the unlearned model with ``steps.jsonl`` and, elsewhere, the measurements of each epoch.

    What is measured tells of the texts that are to be forgotten; a model's folder, which people publish, does not.
    """
    with launch.joined(job.device), job.writing() as done:
        if done:
            return
        make_deterministic(job.threads, job.device)
        _unlearn(job)


@dataclass(frozen=True)
class Made:
    """The unlearned model, and what there is to say of how it came about.

    Attributes:
        files: of the model's folder, written already.
        facts: for the manifest.
        passing: what may be another the next time.
    """

    model: PreTrainedModel
    files: list[str]
    facts: dict[str, Any]
    passing: dict[str, Any]


def _unlearn(job: Job) -> None:
    derived = _derived(job)
    settings, directory = job.plan.method_settings(job.run).given(derived), job.directory
    loaded = load(job.inputs["start"], device=start_device(job))
    epochs = EpochMeasurements(job, loaded, job.resume_folder())
    if launch.rank() == 0:
        epochs(0, loaded.model)
    if isinstance(settings, EditSettings):
        made = _edited(job, loaded, settings, derived, epochs)
    else:
        made = _trained(job, loaded, settings, derived, epochs)
    if launch.rank() > 0:
        return
    measured = job.results[0].directory
    job.close(epochs.collect(measured), directory=measured)
    files = [*save(made.model, loaded.tokenizer, loaded.template, directory, card(job)), *made.files]
    shutil.rmtree(directory / "epochs", ignore_errors=True)  # where measurements lay up to version 0.1
    settled, wrapper = (one.model_dump(mode="json") for one in (settings, settings.wrapper))
    job.close(files, made.passing, settings=settled, wrapper=wrapper, **made.facts)
    job.forget_resume_state()


def _trained(
    job: Job, loaded: LoadedModel, settings: UnlearnSettings, derived: Mapping[str, Any], epochs: EpochMeasurements
) -> Made:
    """Run the training loop."""
    references = {
        "reference_sums": derived.get("reference_sums"),
        "reference_model": _reference(job, settings),
        "labels": {kind: derived[kind] for kind in settings.needs & LABELS},
    }
    selection = _selection(job, derived, epochs)
    enough = selection.is_enough if selection else None
    result = fit(job, loaded.model, _streams(job, loaded, settings, derived), settings, epochs, enough, **references)
    files: list[str] = []
    told: dict[str, Any] = {"training": facts(result, settings)}
    if launch.rank() == 0:
        files = adopt_log(result, job.directory) + (_adopt(result.wrapper, job.directory) if result.wrapper else [])
        told |= {"selected": selection.told(result.epoch)} if selection else {}
    return Made(result.model, files, told, passing(result))


def _selection(job: Job, derived: Mapping[str, Any], epochs: EpochMeasurements) -> Selection | None:
    """Return what chooses the epoch; None where the last one is taken.

    Raises:
        ArtifactError: what is to be reached is not defined.
    """
    told = job.settings.get("selecting")
    if told is None:
        return None
    chosen: Selection = import_module(SELECTION).Selection(told, derived["epoch_measurements"], epochs)
    return chosen


def _edited(
    job: Job, loaded: LoadedModel, settings: EditSettings, derived: Mapping[str, Any], epochs: EpochMeasurements
) -> Made:
    """Change the weights, as often as the edit says."""
    at_hand = AtHand(derived, cache(lambda name: stream_examples(job, loaded, name)), settings.seed)
    for time in range(1, settings.edit.times + 1):
        settings.edit.apply(loaded.model, at_hand)
        epochs(time, loaded.model)
    kept = job.resume_folder() / FOLDER
    model = settings.wrapper.finish(loaded.model, kept)
    return Made(cast("PreTrainedModel", model), _adopt(kept, job.directory) if kept.is_dir() else [], {}, {})


def _derived(job: Job) -> dict[str, Any]:
    """Read what was made for the method beforehand, by kind, checked.

    Raises:
        ArtifactError: it is missing, changed, or was made of another model or with other settings (code aside).
    """
    found, stage = {}, STAGES["derive"]
    for kind, name in job.plan.derived(job.run).items():
        folder = job.inputs[kind]
        manifest = manifests.read(folder)
        made, wanted = manifest["key"]["settings"], stage.settings(job.plan, name)
        if made != wanted or manifest["inputs"] != hashes(stage.inputs(job.plan, name)):
            what = "made of another model, of other data or with other settings"
            raise ArtifactError(what, str(folder / manifests.NAME), to_make(folder))
        manifests.check_files(folder, manifest)
        found[kind] = job.plan.derived_settings(job.name.task, kind).read(folder)
    return found


def _streams(job: Job, loaded: LoadedModel, settings: UnlearnSettings, derived: Mapping[str, Any]) -> dict[str, Any]:
    """Return the examples of each stream that the method reads, or what is derived in their place.

    Raises:
        DataError: nothing is to be forgotten, such as by a request that the data are too small for.
    """
    streams = {name: stream_examples(job, loaded, name) for name in settings.streams}
    for name in (term.stream for term in settings.forget if not streams[term.stream]):
        sets = ", ".join(one for names in job.settings["streams"][name].values() for one in names)
        remedy = f"Take {job.run.path} out of `runs`, or let the task's data have more to forget"
        raise DataError("there are no records to forget", f"{job.data}: {sets}", remedy)
    return streams | {name: derived[kind](streams[name]) for name, kind in settings.texts.items()}


def _reference(job: Job, settings: UnlearnSettings) -> Any:
    """Load the original model, where a loss reads it at every step."""
    return load(job.inputs["start"]).model.requires_grad_(False) if settings.needs & LIVE else None


def _adopt(kept: Path, directory: Path) -> list[str]:
    """Put what the wrapper keeps beside the weights; return the names of the files."""
    names = [f"{FOLDER}/{path.name}" for path in sorted(kept.iterdir()) if path.suffix in (".safetensors", ".json")]
    for name in names:
        with atomic_path(directory / name) as temporary:
            temporary.write_bytes((kept / Path(name).name).read_bytes())
    return names
