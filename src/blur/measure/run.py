"""All raw measurements that a benchmark asks for, of one model in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blur.core.errors import DataError
from blur.measure.batching import Progress
from blur.measure.generate import generate, max_positions
from blur.measure.gradnorm import gradient_norms
from blur.measure.likelihood import Passage, score
from blur.measure.prompts import Prompt, Sets, prompts_of, records_of, texts_of
from blur.measure.sampling import Sampling
from blur.measure.settings import GenerationRequest, MeasureSettings
from blur.measurements import ChoiceRow, GenerationRow, GradnormRow, Measurements
from blur.models.encode import Example, encode_record
from blur.models.template import Template

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
        ConfigError: the settings name a set that is not among ``sets``, or something that does not apply to it.
        DataError: a record lacks a field that is asked for, or does not fit into the model.
    """
    passages = passages_of(tokenizer, template, sets, settings, max_length)
    return Measurements(
        likelihood=score(model, passages, settings.max_batch_tokens, progress),
        generations=_generations(model, tokenizer, template, sets, settings, progress),
        gradnorm=_gradnorms(model, tokenizer, template, sets, settings, max_length, progress),
        choices=_choices(model, tokenizer, sets, settings, progress),
    )


def passages_of(
    tokenizer: PreTrainedTokenizerBase, template: Template, sets: Sets, settings: MeasureSettings, max_length: int
) -> list[Passage]:
    """Encode all texts whose likelihood is asked for, in the order of settings, fields and records."""
    passages = []
    for request in settings.likelihood:
        for field in request.fields:
            for record in records_of(sets, request):
                texts = texts_of(record, field, request.set)
                for index, text in enumerate(texts):
                    example = encode_record(tokenizer, template, record, max_length, field=field, index=index)
                    raw = field in ("text", "gt")
                    has_eos = _has_eos(tokenizer, template, example, raw)
                    if len(example.input_ids) == max_length:  # perhaps cut: what was not read must not count
                        text = _read(tokenizer, example, text)
                    passages.append(Passage(request.set, field, index, text, example, has_eos))
    return passages


def _has_eos(tokenizer: PreTrainedTokenizerBase, template: Template, example: Example, raw: bool) -> bool:
    """Whether an example ends in the end-of-sequence token: none is appended to raw text, and a cut text lost it."""
    return not raw and template.add_eos and example.input_ids[-1] == tokenizer.eos_token_id


def _read(tokenizer: PreTrainedTokenizerBase, example: Example, text: str) -> str:
    """Return the beginning of ``text`` that the tokens of an example cover; a character cut in two is left out."""
    decoded = str(tokenizer.decode(example.input_ids[example.num_prompt :], skip_special_tokens=True))
    lead = len(text) - len(text.lstrip())
    return text[: lead + len(decoded.strip().rstrip("\ufffd"))]


def _generations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    sets: Sets,
    settings: MeasureSettings,
    progress: Progress | None,
) -> list[GenerationRow]:
    """Generate for all sets; those with the same ``max_new_tokens``, examples and sampling share batches."""
    groups: dict[tuple[int, str | None, Sampling], list[GenerationRequest]] = defaultdict(list)
    for request in settings.generation:
        sampling = Sampling(request.temperature, request.seed)
        groups[request.max_new_tokens, request.examples, sampling].append(request)
    rows: dict[str, list[GenerationRow]] = {request.set: [] for request in settings.generation}
    for (size, _, sampling), requests in groups.items():
        asked = [prompt for request in requests for prompt in prompts_of(tokenizer, template, sets, request)]
        _check_room(asked, size, max_positions(model))
        ids = [prompt.input_ids for prompt in asked]
        made = generate(model, ids, size, settings.max_cache_tokens, tokenizer.eos_token_id, progress, sampling)
        for one, new in zip(asked, made, strict=True):
            said = str(tokenizer.decode(new.tokens, skip_special_tokens=True))
            row = GenerationRow(one.set, one.id, one.text, one.reference, said, len(new.tokens), new.finished)
            rows[one.set].append(row)
    return [row for found in rows.values() for row in found]


def _check_room(prompts: Sequence[Prompt], max_new_tokens: int, limit: int | None) -> None:
    for prompt in prompts:
        size = len(prompt.input_ids)
        if limit is not None and size + max_new_tokens > limit:
            what = f"a prompt of {size} tokens and {max_new_tokens} new ones exceed the model's {limit} positions"
            remedy = "Use fewer examples, a lower `max_new_tokens`, or a model with more positions"
            raise DataError(what, f"set {prompt.set!r}, record {prompt.id!r}", remedy)


def _gradnorms(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    sets: Sets,
    settings: MeasureSettings,
    max_length: int,
    progress: Progress | None,
) -> list[GradnormRow]:
    asked = [(request.set, record) for request in settings.gradnorm for record in records_of(sets, request)]
    examples = [_without_eos(tokenizer, template, record, max_length) for _, record in asked]
    norms = gradient_norms(model, examples, settings.max_batch_tokens, progress)
    found = zip(asked, examples, norms, strict=True)
    return [GradnormRow(name, example.id, norm) for (name, _), example, norm in found if norm is not None]


def _without_eos(
    tokenizer: PreTrainedTokenizerBase, template: Template, record: Mapping[str, Any], max_length: int
) -> Example:
    """Encode a record; the end-of-sequence token, which no token comes after, is left out."""
    example = encode_record(tokenizer, template, record, max_length)
    raw = "text" in record or "gt" in record
    return replace(example, input_ids=example.input_ids[: -1 if _has_eos(tokenizer, template, example, raw) else None])


def _choices(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sets: Sets,
    settings: MeasureSettings,
    progress: Progress | None,
) -> list[ChoiceRow]:
    if not settings.harness:
        return []
    from blur.measure.harness import ask

    rows = []
    for done, request in enumerate(settings.harness, start=1):
        rows += ask(model, tokenizer, sets, request)
        if progress:
            progress(done, len(settings.harness), f"lm-eval, {request.name}")
    return rows
