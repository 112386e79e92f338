"""Attempts to bring the texts back: fine-tuning on part of them, or on other text, and rounding of the weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from blur.attacks.quantizers.rtn import Quantizer
from blur.models.encode import encode_record
from blur.owner.evidence.reader import Reader, mean_values
from blur.owner.evidence.reading import EXACT, EXTRACTED, FAMILIAR, FORGET, KEEP, UNSEEN, Reading
from blur.owner.evidence.sample import Record, drawn, halves
from blur.unlearn.settings import UnlearnSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from blur.owner.models import OwnModel

Data = Literal["forget", "retain"]
MEASURES = (FAMILIAR, EXACT, EXTRACTED)


@dataclass(frozen=True)
class Relearned:
    """A model fine-tuned again, after each of some steps.

    Attributes:
        judged: what it knows of the forget texts that it was not fine-tuned on, and of unseen ones.
        trained: what it knows of those that it was: whether the attack teaches at all.
    """

    judged: Mapping[int, Reading]
    trained: Mapping[int, Reading]


def relearn(own: OwnModel, reader: Reader, data: Data, rate: float, advance: Callable[[], None]) -> Relearned:
    """Fine-tune copies of a model and look at them along the way.

    On ``forget``, two halves are learned in turn and each is judged after the other was learned, so that every text
    is judged once and none by a model that was just taught it. On ``retain``, all forget texts are judged.

    Args:
        advance: called after each step.
    """
    settings = reader.settings
    if data == KEEP:
        taught = drawn(reader.sets[KEEP], settings.attacked // 2, settings.seed)
        seen = _along(own, reader, taught, rate, advance)
        return Relearned(seen, seen)
    pair = halves(reader.attacked, settings.seed)
    runs = [_along(own, reader, half, rate, advance) for half in pair if half]
    ids = [{str(record["id"]) for record in half} for half in pair if half]
    judged, trained = dict[int, Reading](), dict[int, Reading]()
    for step in runs[0]:
        readings = [run[step] for run in runs]
        judged[step] = _joined(readings, [ids[1 - place] for place in range(len(ids))] if len(ids) > 1 else [set()])
        trained[step] = _joined(readings, ids)
    return Relearned(judged, trained)


def _joined(readings: Sequence[Reading], of: Sequence[set[str]]) -> Reading:
    """Return each reading's part of the forget texts, and the mean of what they say of unseen ones."""
    values: dict[tuple[str, str], dict[str, float]] = {}
    for measure in MEASURES:
        values[measure, FORGET] = {
            item: value
            for reading, ids in zip(readings, of, strict=True)
            for item, value in reading.of(measure, FORGET).items()
            if item in ids
        }
        values[measure, UNSEEN] = mean_values([reading.of(measure, UNSEEN) for reading in readings])
    return Reading(values)


def _along(
    own: OwnModel, reader: Reader, records: Sequence[Record], rate: float, advance: Callable[[], None]
) -> dict[int, Reading]:
    """Fine-tune a copy on ``records``; return what it knows after each of the steps."""
    from blur.unlearn.loop import train

    loaded, settings = own.loaded, reader.settings
    model, found = copy.deepcopy(loaded.model), dict[int, Reading]()

    def on_step(record: dict[str, Any], total: int) -> None:
        if record["step"] in settings.steps:
            found[record["step"]] = reader.glance(model.eval())
        advance()

    examples = [encode_record(loaded.tokenizer, loaded.template, record, reader.length) for record in records]
    train(model, {"retain": examples}, recipe(model, reader, rate), on_step=on_step)
    return found


def recipe(model: PreTrainedModel, reader: Reader, rate: float) -> UnlearnSettings:
    """Return an attack's fine-tuning: AdamW at a constant rate, all weights or, of a large model, LoRA."""
    settings = reader.settings
    small = sum(parameter.numel() for parameter in model.parameters()) <= settings.full
    return UnlearnSettings.model_validate(
        {
            "retain": [{"stream": "retain", "loss": "nll"}],
            "optimizer": {"name": "adamw", "lr": rate},
            "wrapper": "none" if small else {"name": "lora", "rank": 16, "alpha": 32},
            "steps": max(settings.steps),
            "batch_size": settings.batch_size,
            "max_grad_norm": 1.0,
            "master_weights": True,
            "seed": settings.seed,
        }
    )


def rates(own: OwnModel, reader: Reader) -> list[float]:
    """Return the rates that an attack tries, the gentlest first: narrow models need larger ones."""
    embedding: Any = own.loaded.model.get_input_embeddings()
    return [reader.settings.rate / embedding.weight.shape[1] * 3**number for number in range(reader.settings.tries)]


def quantized(own: OwnModel, reader: Reader) -> Reading:
    """Return what is known by a model whose weights are rounded to 4 bits."""
    return reader.glance(Quantizer(bits=4).quantize(own.loaded.model, []))
