"""What a task's configuration names on this machine, read before any job: folders of models, tokenizers, texts.

Configurations, tokenizers and the headers of weights are read, and no weights: what a job would refuse is refused here
in the same words, a model's NaN and infinity excepted. Names of a hub are left to the job that fetches them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.config.load import file_of, under
from blur.config.plan import Plan
from blur.config.stages import unbuilt_sets
from blur.config.task import Task
from blur.core.errors import ConfigError
from blur.core.files import read_json
from blur.models.encode import encode_record
from blur.models.io import look
from blur.models.settings import ModelSettings
from blur.models.turn import end_token
from blur.planner.architecture import Architecture, architecture_of
from blur.planner.catalogue import catalogue_of
from blur.planner.trainable import require_parts
from blur.unlearn.settings import UnlearnSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Sets = dict[str, list[dict[str, Any]]]


def read_inputs(plan: Plan, task: str) -> list[str]:
    """Read what a task names on this machine.

    Returns:
        What a reader may want to know: what was understood of texts, and how an answer ends in each model's folder.

    Raises:
        BlurError: a model is none that can be used, a text is at fault, or the two do not go together.
    """
    resolved = plan.task(task)
    sets = unbuilt_sets(plan, task)
    told = [f"{task}: {line}" for line in resolved.data.told()]
    _require_alternates(plan, task, sets)
    model = resolved.model
    with _in_file(resolved.model_file[0]):
        architecture = architecture_of(model, catalogue_of(plan))
        _require_parts(plan, task, architecture)
        for name, tokenizer in dict.fromkeys(_folders(resolved)):
            found = look(name, model.template, model.max_length, tokenizer)
            _require_room(model, found, sets)
            told.append(f"{task}: {name}: {_ending(Path(name), model, found)}")
    return told


def _require_alternates(plan: Plan, task: str, sets: Sets) -> None:
    """Refuse a record that has none of the alternates that the loss of some run compares with its answer.

    Those that a model makes are not there yet.
    """
    for run in plan.runs(task) if sets else ():
        known = {stream: source for stream, source in plan.alternates(run).items() if not source.asks}
        for stream, source in known.items():
            for name in (name for names in plan.streams(run)[stream].values() for name in names):
                for record in sets[name]:
                    source.of(record)


def _require_parts(plan: Plan, task: str, architecture: Architecture) -> None:
    """Refuse a scope or an adapter that names parts which the task's model has not."""
    config = plan.task(task).config
    trained = "train" in (config.target.kind, config.retrained.kind)
    made = [(plan.method_settings(run), plan.said_of_method(run)) for run in plan.runs(task)]
    made += [(plan.training_settings(task), plan.said_of_training(task))] if trained else []
    for settings, layers in made:
        if not isinstance(settings, UnlearnSettings):  # an edit has neither
            continue
        try:
            require_parts(architecture, settings.scope, settings.wrapper)
        except ConfigError as error:
            key = str(error.where)
            place, _ = under((file_of(layers, tuple(key.split("."))), {}), key)
            raise ConfigError(error.what, place, error.remedy) from error


@contextmanager
def _in_file(file: str) -> Iterator[None]:
    """Name the file in what is wrong with a model's settings, which the packages know by their keys only."""
    try:
        yield
    except ConfigError as error:
        key = str(error.where).removeprefix("model.")
        if not key.startswith(("template.", "architecture")):
            raise
        raise ConfigError(error.what, f"{file}: model.{key}", error.remedy) from error


def _folders(task: Task) -> list[tuple[str, str | None]]:
    """Return the folders of a task's models, each with that of its tokenizer where it has none of its own."""
    sources = (task.config.target, task.config.retrained)
    named = [(source.name, source.tokenizer) for source in sources]
    if any(source.kind == "train" for source in sources):
        named.append((task.model.name_or_path, None))
    return [(name, tokenizer) for name, tokenizer in named if name and Path(name).is_dir()]


def _require_room(model: ModelSettings, tokenizer: PreTrainedTokenizerBase, sets: Sets) -> None:
    """Refuse a question that leaves no room for an answer."""
    for records in sets.values():
        for record in records:
            if "question" in record and isinstance(record.get("answer"), str):
                encode_record(tokenizer, model.template, record, model.max_length)


def _ending(folder: Path, model: ModelSettings, tokenizer: PreTrainedTokenizerBase) -> str:
    """Say which token ends an answer, and which others end a generation."""
    end = end_token(model.template, tokenizer)
    said: Any = [tokenizer.eos_token_id]
    for file in (folder / "config.json", folder / "generation_config.json"):
        own = read_json(file).get("eos_token_id") if file.is_file() else None
        said += own if isinstance(own, list) else [own]
    others = [repr(tokenizer.convert_ids_to_tokens(id)) for id in dict.fromkeys(said) if id not in (None, end)]
    ends = (
        f"an answer ends with {tokenizer.convert_ids_to_tokens(end)!r}"
        if end is not None
        else "no token ends an answer"
    )
    return f"{ends}; a generation stops at {', '.join(others)} too" if others else ends
