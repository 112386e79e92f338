"""All methods of a task side by side: what each forgets and keeps, and what that took."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blur.report.cells import Section, TableRow, mark_best, misses, rows
from blur.report.runs import Run
from blur.report.settings import TableSettings
from blur.report.tables import grid, piped

SCORE = "score"


@dataclass(frozen=True)
class Taken:
    """What the models of a row took, in the mean over seeds; None where that is not told.

    Attributes:
        score: as sweeps are judged: of utility kept and forgetting reached, each up to 1, the mean.
        rate: learning rate.
        planned, made: updates.
        passes: forward and backward passes over a batch in an update; None of an edit.
        cpu_seconds: of the job that made the model.
        peak_bytes: the most memory that it held.
    """

    score: float | None = None
    rate: float | None = None
    planned: float | None = None
    made: float | None = None
    passes: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: float | None = None


def columns(judges: Sequence[str], utility: str, settings: TableSettings) -> tuple[str, ...]:
    """Return the metrics that are compared: what judges, the first of the headline table, and what has parts."""
    return tuple(dict.fromkeys((*judges, settings.columns[0], utility, *settings.parts)))


def table(
    runs: Sequence[Run], shown: Sequence[str], taken: Mapping[str, Taken], settings: TableSettings, by: str
) -> str:
    """Return the table as Markdown: references first, then methods, the best one first; notes below it.

    Args:
        runs: of the default variants.
        shown: metrics.
        taken: by row.
        by: ``score``, or the one of ``shown`` that sets the order.
    """
    known = {name for run in runs for name in run.metrics}
    found = mark_best(rows(runs, settings))
    places = _places(found, taken, by)
    ordered = sorted(found, key=lambda row: -math.inf if row.first.is_reference else places.get(row.key, math.inf))
    section = Section("", tuple(ordered), tuple(name for name in shown if name in known))
    (header, *body), notes = grid(section, settings, lambda text: f"**{text}**")
    names = ["Score ↑", "Family", "Rate", "Updates", "Passes", "CPU s", "Peak MiB"]
    lines = [[*line, *_cells(row, taken[row.key])] for line, row in zip(body, ordered, strict=True)]
    return piped([[*header, *names], *lines]) + "\n\n" + "  \n".join(notes)


def _places(found: Sequence[TableRow], taken: Mapping[str, Taken], by: str) -> dict[str, float]:
    """Return what rows are put in order by, the lowest first; one without a value is in no place."""
    if by == SCORE:
        return {row.key: -score for row in found if (score := taken[row.key].score) is not None}
    means = {row.key: mean for row in found if (mean := row.cells[by].summary.mean) is not None}
    return misses(by, means, found)


def _cells(row: TableRow, taken: Taken) -> list[str]:
    updates = _told(taken.made, ".0f")
    if taken.planned != taken.made:
        updates += f" of {_told(taken.planned, '.0f')}"
    peak = None if taken.peak_bytes is None else taken.peak_bytes / 2**20
    return [
        _told(taken.score, ".3f"),
        row.first.settings.get("family", "reference"),
        _told(taken.rate, "g"),
        updates,
        _told(taken.passes, "g"),
        _told(taken.cpu_seconds, ".0f"),
        _told(peak, ".0f"),
    ]


def _told(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"
