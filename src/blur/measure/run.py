"""All raw measurements that a benchmark asks for, of models in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from blur.core.errors import DataError
from blur.measure.batching import Progress
from blur.measure.generate import generate
from blur.measure.gradnorm import gradient_norms
from blur.measure.likelihood import Passage, score
from blur.measure.prompts import Prompt, Sets, prompts_of, records_of, texts_of
from blur.measure.sampling import Sampling
from blur.measure.settings import HARNESS, MeasureSettings
from blur.measurements import ChoiceRow, GenerationRow, GradnormRow, Measurements
from blur.models.encode import Example, encode_record
from blur.models.origin import positions
from blur.models.template import Template
from blur.models.turn import end_token

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Questions:
    """Prompts that are answered together, since they are answered alike."""

    prompts: Sequence[Prompt]
    max_new_tokens: int
    sampling: Sampling


class Suite:
    """All that is measured of a model, as tokens: encoded once, for any number of models with the same tokenizer.

    Args:
        sets: records by the name of their set; all that ``settings`` names.
        max_length: most tokens of a scored text, prompt included; longer ones lose their end.

    Raises:
        ConfigError: the settings name a set that is not among ``sets``, or something that does not apply to it.
        DataError: a record lacks a field that is asked for, or does not fit into ``max_length``.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: Template,
        sets: Sets,
        settings: MeasureSettings,
        max_length: int,
    ) -> None:
        self._tokenizer, self._sets, self._settings = tokenizer, sets, settings
        self._stops = [end_token(template, tokenizer), tokenizer.eos_token_id]
        self._passages = passages_of(tokenizer, template, sets, settings, max_length)
        self._questions = _questions(tokenizer, template, sets, settings)
        self._texts = [
            (request.set, _without_eos(tokenizer, template, record, max_length))
            for request in settings.gradnorm
            for record in records_of(sets, request)
        ]

    @property
    def empty_sets(self) -> frozenset[str]:
        """Names of the sets, and harness requests, that have no record."""
        empty = [name for name, records in self._sets.items() if not records]
        return frozenset((*empty, *self._settings.empty(empty)))

    def measure(self, model: PreTrainedModel, progress: Progress | None = None) -> Measurements:
        """Measure ``model``, which is left as it was found.

        Args:
            progress: called with (done, total, what) after each batch.

        Raises:
            DataError: a prompt and its answer do not fit into the model.
        """
        return Measurements(
            likelihood=score(model, self._passages, self._settings.max_batch_tokens, progress),
            generations=self._generations(model, progress),
            gradnorm=self._gradnorms(model, progress),
            choices=self._choices(model, progress),
        )

    def _generations(self, model: PreTrainedModel, progress: Progress | None) -> list[GenerationRow]:
        rows: dict[str, list[GenerationRow]] = {request.set: [] for request in self._settings.generation}
        for asked in self._questions:
            _check_room(asked, positions(model.config))
            ids = [prompt.input_ids for prompt in asked.prompts]
            limit = self._settings.max_cache_tokens
            made = generate(model, ids, asked.max_new_tokens, limit, self._stops, progress, asked.sampling)
            for one, new in zip(asked.prompts, made, strict=True):
                said = str(self._tokenizer.decode(new.tokens, skip_special_tokens=True))
                row = GenerationRow(one.set, one.id, one.text, one.reference, said, len(new.tokens), new.finished)
                rows[one.set].append(row)
        return [row for found in rows.values() for row in found]

    def _gradnorms(self, model: PreTrainedModel, progress: Progress | None) -> list[GradnormRow]:
        examples = [example for _, example in self._texts]
        norms = gradient_norms(model, examples, self._settings.max_batch_tokens, progress)
        found = zip(self._texts, norms, strict=True)
        return [GradnormRow(name, example.id, norm) for (name, example), norm in found if norm is not None]

    def _choices(self, model: PreTrainedModel, progress: Progress | None) -> list[ChoiceRow]:
        if not self._settings.harness:
            return []
        harness, rows = import_module(HARNESS), list[ChoiceRow]()
        for done, request in enumerate(self._settings.harness, start=1):
            rows += harness.ask(model, self._tokenizer, self._sets, request)
            if progress:
                progress(done, len(self._settings.harness), f"lm-eval, {request.name}")
        return rows


def measure(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    sets: Sets,
    settings: MeasureSettings,
    max_length: int,
    progress: Progress | None = None,
) -> Measurements:
    """Measure one model; see ``Suite``."""
    return Suite(tokenizer, template, sets, settings, max_length).measure(model, progress)


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
                    if len(example.input_ids) == max_length:  # perhaps cut: what was not read must not count
                        text = _read(tokenizer, example, text)
                    passages.append(Passage(request.set, field, index, text, example, example.ended))
    return passages


def _read(tokenizer: PreTrainedTokenizerBase, example: Example, text: str) -> str:
    """Return the beginning of ``text`` that the tokens of an example cover; a character cut in two is left out."""
    decoded = str(tokenizer.decode(example.input_ids[example.num_prompt :], skip_special_tokens=True))
    lead = len(text) - len(text.lstrip())
    return text[: lead + len(decoded.strip().rstrip("\ufffd"))]


def _questions(
    tokenizer: PreTrainedTokenizerBase, template: Template, sets: Sets, settings: MeasureSettings
) -> list[Questions]:
    """Encode all prompts; sets with the same ``max_new_tokens``, examples and sampling share batches."""
    groups: dict[tuple[int, str | None, Sampling], list[Prompt]] = defaultdict(list)
    for request in settings.generation:
        alike = request.max_new_tokens, request.examples, Sampling(request.temperature, request.seed)
        groups[alike] += prompts_of(tokenizer, template, sets, request)
    return [Questions(prompts, size, sampling) for (size, _, sampling), prompts in groups.items()]


def _check_room(asked: Questions, limit: int | None) -> None:
    for prompt in asked.prompts:
        size, more = len(prompt.input_ids), asked.max_new_tokens
        if limit is not None and size + more > limit:
            what = f"a prompt of {size} tokens and {more} new ones exceed the model's {limit} positions"
            remedy = "Use fewer examples, a lower `max_new_tokens`, or a model with more positions"
            raise DataError(what, f"set {prompt.set!r}, record {prompt.id!r}", remedy)


def _without_eos(
    tokenizer: PreTrainedTokenizerBase, template: Template, record: Mapping[str, Any], max_length: int
) -> Example:
    """Encode a record; the token that ends an answer, which no token comes after, is left out."""
    example = encode_record(tokenizer, template, record, max_length)
    return replace(example, input_ids=example.input_ids[: -1 if example.ended else None], ended=False)
