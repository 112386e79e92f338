"""All raw measurements that a benchmark asks for, of one model in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blur.core.errors import ConfigError, DataError
from blur.measure.batching import Progress
from blur.measure.generate import generate
from blur.measure.gradnorm import gradient_norms
from blur.measure.likelihood import Passage, score
from blur.measure.settings import GenerationRequest, MeasureSettings, Request
from blur.measurements import GenerationRow, GradnormRow, LikelihoodRow, Measurements
from blur.models.encode import encode_prompt, encode_record
from blur.models.template import Template

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Record = Mapping[str, Any]
Sets = Mapping[str, Sequence[Record]]


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    sets: Sets,
    settings: MeasureSettings,
    max_length: int,
    progress: Progress | None = None,
) -> Measurements:
    """Measure ``model``, which is left as it was found.

    Args:
        sets: records by the name of their set; all that ``settings`` names.
        max_length: most tokens of a scored text, prompt included; longer ones lose their end.
        progress: called with (done, total, what) after each batch.

    Raises:
        ConfigError: the settings name a set that is not among ``sets``.
        DataError: a record lacks a field that is asked for.
    """
    passages = passages_of(tokenizer, template, sets, settings, max_length)
    return Measurements(
        likelihood=measure_epoch(model, passages, settings.max_batch_tokens, progress),
        generations=_generations(model, tokenizer, template, sets, settings, progress),
        gradnorm=_gradnorms(model, tokenizer, template, sets, settings, max_length, progress),
    )


def measure_epoch(
    model: nn.Module, passages: Sequence[Passage], max_batch_tokens: int, progress: Progress | None = None
) -> list[LikelihoodRow]:
    """Measure the likelihoods alone, of passages encoded beforehand: for the end of each epoch in training."""
    return score(model, passages, max_batch_tokens, progress)


def passages_of(
    tokenizer: PreTrainedTokenizerBase, template: Template, sets: Sets, settings: MeasureSettings, max_length: int
) -> list[Passage]:
    """Encode all texts whose likelihood is asked for, in the order of settings, fields and records."""
    passages = []
    for request in settings.likelihood:
        for field in request.fields:
            for record in _records(sets, request):
                texts = _texts(record, field, request.set)
                for index, text in enumerate(texts):
                    example = encode_record(tokenizer, template, record, max_length, field=field, index=index)
                    has_eos = field != "text" and template.add_eos and example.input_ids[-1] == tokenizer.eos_token_id
                    passages.append(Passage(request.set, field, index, text, example, has_eos))
    return passages


def _generations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    sets: Sets,
    settings: MeasureSettings,
    progress: Progress | None,
) -> list[GenerationRow]:
    """Generate for all sets; those with the same ``max_new_tokens`` share batches."""
    groups: dict[int, list[GenerationRequest]] = defaultdict(list)
    for request in settings.generation:
        groups[request.max_new_tokens].append(request)
    rows: dict[str, list[GenerationRow]] = {request.set: [] for request in settings.generation}
    for max_new_tokens, requests in groups.items():
        asked = [(request.set, record) for request in requests for record in _records(sets, request)]
        texts = [template.render(_texts(record, "question", name)[0], tokenizer) for name, record in asked]
        special = not template.use_chat_template
        prompts = [encode_prompt(tokenizer, text, add_special_tokens=special) for text in texts]
        eos = tokenizer.eos_token_id
        made = generate(model, prompts, max_new_tokens, settings.max_batch_tokens, eos, progress)
        for (name, record), text, new in zip(asked, texts, made, strict=True):
            generated = str(tokenizer.decode(new.tokens, skip_special_tokens=True)).strip()
            reference = _texts(record, "answer", name)[0]
            size = len(new.tokens)
            rows[name].append(GenerationRow(name, str(record["id"]), text, reference, generated, size, new.finished))
    return [row for found in rows.values() for row in found]


def _gradnorms(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    sets: Sets,
    settings: MeasureSettings,
    max_length: int,
    progress: Progress | None,
) -> list[GradnormRow]:
    asked = [(request.set, record) for request in settings.gradnorm for record in _records(sets, request)]
    examples = [encode_record(tokenizer, template, record, max_length) for _, record in asked]
    norms = gradient_norms(model, examples, progress)
    return [
        GradnormRow(name, example.id, norm) for (name, _), example, norm in zip(asked, examples, norms, strict=True)
    ]


def _records(sets: Sets, request: Request) -> Sequence[Record]:
    if request.set not in sets:
        known = ", ".join(sorted(sets))
        raise ConfigError(f"no set {request.set!r} in the data", "measure", f"There are: {known}")
    return sets[request.set][: request.limit]


def _texts(record: Record, field: str, name: str) -> list[str]:
    """Return the texts of a field: one, or those of a list."""
    if field not in record:
        remedy = f"Give it one, or do not ask for {field!r} of this set"
        raise DataError(f"record {record.get('id')!r} has no {field!r}", f"set {name!r}", remedy)
    return list(record[field]) if isinstance(record[field], list) else [record[field]]
