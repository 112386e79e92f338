"""How likely a model's answers are as language, by the model before unlearning: raw numbers for the metric ``fluency``.

What is scored lies in the table of likelihoods, under field names that no record has: the answers of the model that is
measured (``generated``), and the true answers of a set that it should still know (``expected``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from blur.measure.likelihood import Passage, score
from blur.measure.prompts import Record, Sets, records_in
from blur.measure.settings import EXPECTED, GENERATED, MeasureSettings
from blur.measurements import LikelihoodRow, Measurements
from blur.models.encode import encode_record

if TYPE_CHECKING:
    from blur.models import LoadedModel


def judged(
    measured: Measurements, judge: LoadedModel, sets: Sets, settings: MeasureSettings, max_length: int
) -> Measurements:
    """Return the measurements with what ``judge`` makes of the answers; an empty answer has no row.

    Args:
        judge: the model before unlearning.
        max_length: most tokens of a text, question included; longer ones lose their end.
    """
    passages: list[Passage] = []
    for request in settings.fluency:
        said = {row.id: row.generated for row in measured.generations(request.set) if row.generated.strip()}
        known = {record["id"]: record for record in records_in(sets, request.set)}
        pairs = ((known[item], text) for item, text in said.items())
        passages += _passages(request.set, GENERATED, pairs, judge, max_length)
        true = ((record, record["answer"]) for record in records_in(sets, request.references))
        passages += _passages(request.references, EXPECTED, true, judge, max_length)
    rows = {**measured.rows, "likelihood": [*measured.rows["likelihood"], *_scored(passages, judge, settings)]}
    return Measurements(**rows, where=measured.where)


def _scored(passages: list[Passage], judge: LoadedModel, settings: MeasureSettings) -> list[LikelihoodRow]:
    return score(judge.model, passages, settings.max_batch_tokens)


def _passages(
    name: str, field: str, answers: Iterable[tuple[Record, str]], judge: LoadedModel, max_length: int
) -> list[Passage]:
    """Encode answers after their questions, as training does."""
    found = []
    for record, text in answers:
        asked = {"id": record["id"], "question": record["question"], "answer": text}
        example = encode_record(judge.tokenizer, judge.template, asked, max_length)
        found.append(Passage(name, field, 0, text, example, example.ended))
    return found
