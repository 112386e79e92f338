"""Accuracy on multiple-choice questions: share of questions whose likeliest option is the right one.

Source: lm-evaluation-harness, ``acc``; MMLU (arXiv 2009.03300) and WMDP (arXiv 2403.03218) are scored so, by letter.
What the options are, letters or texts, is up to the request's task. ``norm`` divides an option's log-probability by
its length in ``characters`` (lm-eval's ``acc_norm``) or in UTF-8 ``bytes`` (``acc_bytes``), which matters where options
are texts. Range [0, 1]. Of equally likely options the first counts, as in lm-eval; so a model that finds all alike
scores the share of questions whose first option is right.

The mean is over questions: a subject weighs as many as it has (lm-eval's ``weight_by_size``, its MMLU convention). With
``over: subjects`` each subject weighs the same, as in SemEval-2025 task 4's mean over the 57 of MMLU.
``details`` holds each subject's accuracy, their plain mean as ``mean_of_subjects``, and ``chance``, the mean of one
over the number of options. A question with a NaN score makes the metric undefined.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, mean_of

if TYPE_CHECKING:
    from blur.measurements import ChoiceRow

Norm = Literal["none", "characters", "bytes"]


class Metric(MetricBase):
    """Accuracy on the questions of a harness request."""

    direction: ClassVar[Direction] = "higher"
    request: str
    norm: Norm = "none"
    over: Literal["questions", "subjects"] = "questions"

    def reads(self) -> Reads:
        """Return what it looks up."""
        return Reads(choices=frozenset([self.request]))

    def compute(self, context: MetricContext) -> Outcome:
        """Return the share of questions that are right; see the module."""
        rows = context.measured.choices(self.request)
        items = {row.id: is_right(row, self.norm) for row in rows}
        found = mean_of({self.request: items}, self.direction, _details(rows, items))
        means = found.details.get("mean_of_subjects", found.value)  # one subject alone is not told apart
        return found if self.over == "questions" or found.value is None else replace(found, value=means)


def is_right(row: ChoiceRow, norm: Norm) -> float:
    """Return 1 where the best option is the right one, else 0.

    NaN where a log-probability is NaN, or where lengths count and an option has none.
    """
    scores = np.asarray(row.logprob, dtype=np.float64)
    if np.isnan(scores).any():
        return math.nan
    if norm != "none":
        lengths = np.array([len(text.encode() if norm == "bytes" else text) for text in row.options])
        if not lengths.all():
            return math.nan
        scores = scores / lengths
    return float(np.argmax(scores) == row.answer)


def _details(rows: list[ChoiceRow], items: dict[str, float]) -> dict[str, float]:
    subjects: dict[str, list[float]] = {}
    for row in rows:
        subjects.setdefault(row.subject, []).append(items[row.id])
    means = {subject: math.fsum(values) / len(values) for subject, values in subjects.items()}
    details = {"chance": math.fsum(1 / len(row.options) for row in rows) / len(rows)}
    if len(means) > 1:
        means["mean_of_subjects"] = math.fsum(means.values()) / len(means)
        details |= {name: value for name, value in sorted(means.items()) if not math.isnan(value)}
    return details
