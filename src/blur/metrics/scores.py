"""Views of raw scores that several metrics share. Arrays are float64, log-probabilities in nats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from blur.core.errors import DataError

if TYPE_CHECKING:
    from blur.measurements import Measurements, TextScore

T = TypeVar("T")


def scored_tokens(score: TextScore, eos: bool) -> TextScore:
    """Return the score with (``eos``) or without the end-of-sequence token."""
    if eos or not score.has_eos:
        return score
    return replace(
        score,
        logprob=score.logprob[:-1],
        argmax=score.argmax[:-1],
        vocab_mean=score.vocab_mean[:-1],
        vocab_var=score.vocab_var[:-1],
    )


def by_id(scores: Iterable[TextScore], eos: bool) -> dict[str, TextScore]:
    """Return the scores by id; ``DataError`` if a field that must be single has several texts for one id."""
    found: dict[str, TextScore] = {}
    for score in scores:
        if score.id in found:
            raise DataError(f"id {score.id} has more than one text", remedy="name a field with one text per item")
        found[score.id] = scored_tokens(score, eos)
    return found


def mean_logprob(score: TextScore) -> float | None:
    """Return the mean log-probability per token; None for a text without tokens."""
    return float(np.mean(score.logprob)) if score.logprob.size else None


def mean_logprobs(measured: Measurements, name: str, field: str, eos: bool) -> dict[str, float | None]:
    """Return ``mean_logprob`` by id of a field with one text per item."""
    return {item: mean_logprob(score) for item, score in by_id(measured.likelihood(name, field), eos).items()}


def true_and_false(
    measured: Measurements, name: str, truth: str, eos: bool
) -> dict[str, tuple[float, list[float]] | None]:
    """Return, by id, the mean log-probability of the true answer and of each wrong one, joined by id.

    None where the true answer or all wrong ones are missing or empty, so that one missing item shifts no other.

    Args:
        measured: the model's measurements.
        name: set.
        truth: field of the true answer; the wrong ones are ``perturbed_answer``.
        eos: whether the end-of-sequence token counts.
    """
    true = mean_logprobs(measured, name, truth, eos)
    false: dict[str, list[float]] = {}
    for score in measured.likelihood(name, "perturbed_answer"):
        value = mean_logprob(scored_tokens(score, eos))
        if value is not None:
            false.setdefault(score.id, []).append(value)
    return {item: _pair(true.get(item), false.get(item)) for item in {**true, **false}}


def _pair(true: float | None, false: list[float] | None) -> tuple[float, list[float]] | None:
    return None if true is None or not false else (true, false)


def known(values: Mapping[str, T | None]) -> dict[str, T]:
    """Return the entries that are not None."""
    return {item: value for item, value in values.items() if value is not None}
