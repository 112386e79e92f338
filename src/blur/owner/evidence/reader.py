"""From a model to what it knows of the texts: all texts are encoded once, for any number of models."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from blur.core.errors import ConfigError, DataError
from blur.measure.prompts import prompts_of
from blur.measure.run import Suite
from blur.measure.settings import GenerationRequest, LikelihoodRequest, MeasureSettings
from blur.metrics.kinds.exact_memorization import matched_share
from blur.metrics.kinds.extraction_strength import extraction_strength
from blur.metrics.kinds.mia import lowest_mean
from blur.metrics.kinds.repetition import ngrams, repeated_share
from blur.metrics.rouge import lcs_length
from blur.metrics.scores import scored_tokens
from blur.models.encode import encode_record
from blur.models.origin import positions
from blur.owner.estimate import Values
from blur.owner.evidence.reading import (
    EXACT,
    EXTRACTED,
    FAMILIAR,
    FORGET,
    HINTED,
    KEEP,
    LOWEST,
    REPEATED,
    REWORDED,
    SAID,
    UNSEEN,
    Reading,
)
from blur.owner.evidence.sample import Record, continued, drawn, hinted, reworded
from blur.owner.evidence.settings import AuditSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from blur.measurements import GenerationRow, Measurements
    from blur.owner.models import OwnModel
    from blur.owner.texts import OwnTexts

SETS = (FORGET, KEEP, UNSEEN)
SURPRISED = 20.0  # nats: a token that is less likely counts as this unlikely, so that one of them is not all there is
ROOM = 4  # tokens that a model must have room to write
WORD = re.compile(r"\w+")
Asked = dict[str, dict[str, list[dict[str, Any]]]]  # what is asked, by measure and set; of several, the worst counts


class Reader:
    """The texts as tokens, and what is asked about them.

    Args:
        own: any of the models: they have the same tokenizer.
        by_unseen: whether what attacks do to unseen texts counts.

    Raises:
        DataError: no text to forget can be read.
    """

    def __init__(self, own: OwnModel, texts: OwnTexts, settings: AuditSettings, by_unseen: bool = True) -> None:
        loaded = own.loaded
        self.settings, self.form, self._loaded = settings, texts.form, loaded
        self.length = min(own.max_length, settings.tokens)
        chosen = {name: drawn(texts.sets.get(name, ()), settings.texts, settings.seed) for name in SETS}
        self.sets = {name: [one for one in records if self._fits(one)] for name, records in chosen.items()}
        if not self.sets[FORGET]:
            what = f"none of the texts to forget can be read in {self.length} tokens"
            raise DataError(what, "--forget", "Shorten the questions, or split the texts")
        self.field = "text" if texts.form == "documents" else "answer"
        scored = tuple(
            LikelihoodRequest.model_validate({"set": name, "fields": (self.field,)}) for name in SETS if self.sets[name]
        )
        self.attacked = drawn(self.sets[FORGET], settings.attacked, settings.seed)
        self._glanced = (FORGET, UNSEEN) if by_unseen else (FORGET,)
        judged = tuple(request for request in scored if request.set in self._glanced)
        self._quick = self._suite({**self.sets, FORGET: self.attacked}, {"likelihood": judged})
        asked, requests, self._measures = self._asked(positions(loaded.model.config) or own.max_length)
        self._whole = self._suite({**self.sets, **asked}, {"likelihood": scored, "generation": requests})
        plain = tuple(request for request in requests if self._measures[request.set] == (SAID, FORGET))
        self._plain = self._suite(asked, {"generation": plain})

    def require(self, other: OwnModel, place: str) -> None:
        """Refuse a model with another tokenizer: nothing of the two can be compared token by token.

        Raises:
            ConfigError: it has.
        """
        own, theirs = self._loaded.tokenizer, other.loaded.tokenizer
        if own.get_vocab() != theirs.get_vocab():
            remedy = "Give a model of the same family, with the same tokenizer files"
            raise ConfigError("its tokenizer is not that of the model before", place, remedy)

    def read(self, model: PreTrainedModel) -> Reading:
        """Return all that a model knows and says of the texts."""
        return self._reading(self._whole.measure(model), SETS, self._measures)

    def glance(self, model: PreTrainedModel) -> Reading:
        """Return what it knows of the texts that attacks are about, and of unseen ones; it is asked nothing."""
        return self._reading(self._quick.measure(model), self._glanced, {})

    def said(self, model: PreTrainedModel) -> dict[str, dict[str, str]]:
        """Return what a model says to each forget text as it is asked plainly, with the prompt and the true text."""
        rows = self._plain.measure(model).rows["generations"]
        return {row.id: {"prompt": row.prompt, "true": row.reference, "said": row.generated} for row in rows}

    def _fits(self, record: Record) -> bool:
        """Whether a token of a text is scored in the tokens that are read."""
        try:
            encode_record(self._loaded.tokenizer, self._loaded.template, record, self.length)
        except DataError:
            return False
        return True

    def _suite(self, sets: Mapping[str, Sequence[Record]], asked: Mapping[str, Any]) -> Suite:
        settings = MeasureSettings.model_validate(asked)
        return Suite(self._loaded.tokenizer, self._loaded.template, sets, settings, self.length)

    def _asked(
        self, room: int
    ) -> tuple[dict[str, list[Record]], tuple[GenerationRequest, ...], dict[str, tuple[str, str]]]:
        """Return what is asked: records by the name of their set, requests, and measure and set by that name."""
        asked, requests, measures = dict[str, list[Record]](), list[GenerationRequest](), dict[str, tuple[str, str]]()
        for set in SETS:
            for measure, rounds in self._rounds(set).items():
                for number, records in enumerate(rounds):
                    name = f"{set}/{measure}/{number}"
                    fitting, tokens = self._fitting(name, records, room)
                    if fitting:
                        asked[name], measures[name] = fitting, (measure, set)
                        requests.append(_request(name, tokens))
        return asked, tuple(requests), measures

    def _rounds(self, set: str) -> dict[str, list[list[Record]]]:
        """Return the rounds of asking about a set, by measure; of what was kept only what it says is of interest."""
        records, loaded, settings = self.sets[set], self._loaded, self.settings
        if self.form == "documents":
            shares = {SAID: settings.prompt, **({} if set == KEEP else {HINTED: settings.hint})}
            made = {
                measure: [continued(one, loaded.tokenizer, self._window, share) for one in records]
                for measure, share in shares.items()
            }
            return {measure: [[one for one in found if one]] for measure, found in made.items()}
        if set == KEEP:
            return {SAID: [list(records)]}
        others = [reworded(one, loaded) for one in records]
        rounds = max((len(one) for one in others), default=0)
        turned: list[list[Record]] = [[one[turn] for one in others if turn < len(one)] for turn in range(rounds)]
        hints: list[Record] = [found for one in records if (found := hinted(one, loaded))]
        return {SAID: [list(records)], REWORDED: turned, HINTED: [hints]}

    @property
    def _window(self) -> int:
        """Tokens at a document's beginning that a model is asked about: what it is given and what it may write."""
        return min(self.length, int(self.settings.answer / (1 - self.settings.prompt)))

    def _fitting(self, name: str, records: Sequence[Record], room: int) -> tuple[list[Record], int]:
        """Return the records whose prompts leave room for an answer, and the tokens of the longest answer."""
        if not records:
            return [], 0
        loaded, most = self._loaded, self.settings.answer
        request = _request(name, most)
        prompts = prompts_of(loaded.tokenizer, loaded.template, {name: records}, request)
        fitting = {prompt.id for prompt in prompts if len(prompt.input_ids) + ROOM <= room}
        kept = [prompt for prompt in prompts if prompt.id in fitting]
        if not kept:
            return [], 0
        longest = max(len(loaded.tokenizer(one.reference, add_special_tokens=False)["input_ids"]) for one in kept)
        left = room - max(len(prompt.input_ids) for prompt in kept)
        return [one for one in records if str(one["id"]) in fitting], min(most, longest + ROOM, left)

    def _reading(self, measured: Measurements, scored: Sequence[str], asked: Mapping[str, tuple[str, str]]) -> Reading:
        values: dict[tuple[str, str], dict[str, float]] = {}
        for set in scored:
            for score in measured.likelihood(set, self.field) if self.sets[set] else ():
                own = scored_tokens(score, eos=False)
                if not own.logprob.size:
                    continue
                found = {
                    FAMILIAR: float(np.maximum(own.logprob, -SURPRISED).mean()),
                    LOWEST: lowest_mean(np.maximum(own.logprob, -SURPRISED), self.settings.min_k),
                    EXACT: matched_share(own),
                    EXTRACTED: extraction_strength(own.argmax),
                }
                for measure, value in found.items():
                    if value is not None:
                        values.setdefault((measure, set), {})[own.id] = value
        for name, (measure, set) in asked.items():
            for row in measured.generations(name):
                _raise(values.setdefault((measure, set), {}), row, told)
                if measure == SAID:
                    _raise(values.setdefault((REPEATED, set), {}), row, _repeated)
        return Reading(values)


def _request(name: str, tokens: int) -> GenerationRequest:
    return GenerationRequest.model_validate({"set": name, "max_new_tokens": tokens})


def told(row: GenerationRow) -> float | None:
    """Return how much of the true text an answer tells: ROUGE-L recall over words of any script; None without."""
    true, said = (WORD.findall(text.casefold()) for text in (row.reference, row.generated))
    return lcs_length(true, said) / len(true) if true else None


def _repeated(row: GenerationRow) -> float:
    return repeated_share(ngrams(row.generated, 4))


def _raise(values: dict[str, float], row: GenerationRow, score: Callable[[GenerationRow], float | None]) -> None:
    """Keep the highest score of a text."""
    value = score(row)
    if value is not None:
        values[row.id] = max(value, values.get(row.id, value))


def mean_values(readings: Sequence[Values]) -> dict[str, float]:
    """Return each text's mean over readings that all have it."""
    return {item: float(np.mean([one[item] for one in readings])) for item in readings[0]}
