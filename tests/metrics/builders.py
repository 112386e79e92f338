"""Small measurements made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blur.measurements import ChoiceRow, GenerationRow, GradnormRow, LikelihoodRow, Measurements
from blur.metrics import Outcome, compute_all


def row(
    item: str,
    logprob: Sequence[float],
    *,
    set: str = "s",
    field: str = "answer",
    index: int = 0,
    argmax: Sequence[bool] | None = None,
    mean: Sequence[float] | None = None,
    var: Sequence[float] | None = None,
    eos: bool = False,
    text: str = "text",
) -> LikelihoodRow:
    size = len(logprob)
    return LikelihoodRow(
        set,
        item,
        field,
        index,
        text,
        list(logprob),
        list(argmax or [False] * size),
        list(mean or [0.0] * size),
        list(var or [1.0] * size),
        eos,
    )


def said(item: str, generated: str, reference: str = "", *, set: str = "s", finished: bool = True) -> GenerationRow:
    return GenerationRow(set, item, "prompt", reference, generated, len(generated.split()), finished)


def measured(*rows: LikelihoodRow | GenerationRow | GradnormRow | ChoiceRow) -> Measurements:
    return Measurements(
        [one for one in rows if isinstance(one, LikelihoodRow)],
        [one for one in rows if isinstance(one, GenerationRow)],
        [one for one in rows if isinstance(one, GradnormRow)],
        [one for one in rows if isinstance(one, ChoiceRow)],
    )


def compute(metric: str, model: Measurements, retrained: Measurements | None = None, **params: Any) -> Outcome:
    """Run one metric the way the metrics stage does."""
    references = {} if retrained is None else {"retrained": retrained}
    return compute_all([{"name": "it", "metric": metric, **params}], model, references)["it"]


def truths(true: dict[str, float], false: dict[str, Sequence[float]], set: str = "s") -> list[LikelihoodRow]:
    """Rows of paraphrased and perturbed answers with one token each."""
    rows = [row(item, [value], set=set, field="paraphrased_answer") for item, value in true.items()]
    for item, values in false.items():
        rows += [
            row(item, [value], set=set, field="perturbed_answer", index=index) for index, value in enumerate(values)
        ]
    return rows
