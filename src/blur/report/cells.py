"""The results table as numbers: rows, columns, collapsed and unchanged models, the best of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from statistics import fmean
from typing import Any

from blur.report import wording
from blur.report.runs import DEFAULT, Run, by_method, swept
from blur.report.settings import TableSettings
from blur.report.summary import Summary, summarise

REFERENCE_ORDER = ("target", "retrained")
WIDTH = 9  # columns of a table that is not the headline's


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    Attributes:
        values: by seed, in the order of the row's runs; None where not defined.
        reason: why it is not defined, where it is not, or why it is 0, where a part of it is.
        guessed: whether it cannot be told from what guessing gives.
    """

    summary: Summary
    values: tuple[float | None, ...]
    direction: str
    reason: str | None
    guessed: bool = False
    best: bool = False

    @property
    def partial(self) -> bool:
        """Whether some seeds have a value and others have none, so that the mean is of the survivors."""
        return 0 < self.summary.n < len(self.values)


@dataclass(frozen=True)
class TableRow:
    """One (method, variant) with its cells by metric.

    Attributes:
        request: whether it forgets something else.
        barred: whether it is below the gate that a benchmark sets.
    """

    runs: tuple[Run, ...]
    cells: dict[str, Cell]
    collapsed: bool
    request: bool = False
    barred: bool = False

    @property
    def first(self) -> Run:
        """The run that names the row."""
        return self.runs[0]

    @property
    def ranked(self) -> bool:
        """Whether it is in the running for the best of a column."""
        return not (self.collapsed or self.barred or self.unchanged or self.first.is_reference)

    @property
    def unchanged(self) -> bool:
        """Whether its forget metrics cannot be told from the target's."""
        return self.first.unchanged

    @property
    def missed(self) -> bool:
        """Whether an epoch was to be chosen by a rule that none of some run met."""
        return any(not run.settings["selected"]["reached"] for run in self.runs if "selected" in run.settings)

    @property
    def key(self) -> str:
        """``method`` for the default variant, ``method/variant`` else."""
        run = self.first
        return run.method if run.variant == DEFAULT else f"{run.method}/{run.variant}"

    @property
    def name(self) -> str:
        """Title, and for a variant what sets it apart."""
        run = self.first
        if run.variant == DEFAULT:
            return run.title
        symbol = wording.STRENGTHS.get(run.combine.get("name", ""), "")
        strengths = {swept(run) for run in self.runs}
        known = bool(symbol) and min(strengths) >= 0 and not run.is_matched and not self.request
        strength = f", {symbol} = {sum(strengths) / len(strengths):.3g}" if known else ""
        return f"{run.title} ({run.variant}{strength})"


@dataclass(frozen=True)
class Section:
    """A table: its rows and the metrics of its columns; ``whole`` is the metric that the columns are parts of."""

    title: str
    rows: tuple[TableRow, ...]
    columns: tuple[str, ...]
    whole: str = ""


def sections(runs: Sequence[Run], settings: TableSettings) -> list[Section]:
    """Return the tables of a task: headline, parts of metrics, all other metrics, variants, requests.

    Columns that no run has are left out.
    """
    known = all_metrics(runs)
    headline = tuple(name for name in settings.columns if name in known or _is_detail(runs, name))
    parts = {whole: own for whole in settings.parts if (own := tuple(f"{whole}.{p}" for p in _details(runs, whole)))}
    shown = {*headline, *parts, *(column.partition(".")[2] for own in parts.values() for column in own)}
    rest = tuple(name for name in known if name not in shown)
    main = [run for run in runs if run.variant == DEFAULT]
    requests = [run for run in runs if _is_request(run, settings)]
    variants = [run for run in runs if run.variant != DEFAULT and run not in requests]
    plans = [("Forgetting and utility", main, headline, "")]
    plans += [
        (f"{wording.label(whole)} and its parts", main, (whole, *columns), whole)
        for whole, own in parts.items()
        for columns in _chunks(own, WIDTH)
    ]
    plans += [
        (f"Further metrics{', continued' if number else ''}", main, columns, "")
        for number, columns in enumerate(_chunks(rest, WIDTH))
    ]
    plans += [("Variants", variants, headline, "")]
    floors = Floors.of(runs, settings)
    found = [
        Section(title, tuple(mark_best(_rows(own, columns, settings, floors))), columns, whole)
        for title, own, columns, whole in plans
        if own and columns
    ]
    # Each request is a contest of its own: forgetting four folds costs more than forgetting two.
    asked = [[run for run in requests if run.variant == variant] for variant in sorted({r.variant for r in requests})]
    contests = tuple(row for own in asked for row in mark_best(_rows(own, headline, settings, floors)))
    return [*found, Section("Requests", contests, headline)] if contests and headline else found


def all_metrics(runs: Sequence[Run]) -> list[str]:
    """Return the names of all metrics that a run has, in alphabetical order."""
    return sorted({name for run in runs for name in run.metrics})


def rows(runs: Sequence[Run], settings: TableSettings) -> list[TableRow]:
    """Return every (method, variant) with every metric."""
    return _rows(runs, all_metrics(runs), settings, Floors.of(runs, settings))


def _chunks(columns: tuple[str, ...], width: int) -> list[tuple[str, ...]]:
    return [columns[at : at + width] for at in range(0, len(columns), width)]


def _is_request(run: Run, settings: TableSettings) -> bool:
    return any(fnmatchcase(run.variant, pattern) for pattern in settings.requests)


def _rows(runs: Sequence[Run], columns: Sequence[str], settings: TableSettings, floors: Floors) -> list[TableRow]:
    return [_row(tuple(group), columns, settings, floors) for group in by_method(runs).values()]


def _row(group: tuple[Run, ...], columns: Sequence[str], settings: TableSettings, floors: Floors) -> TableRow:
    cells = {column: _cell(group, column, settings) for column in columns}
    is_method = not group[0].is_reference
    collapsed = is_method and _below(group, {settings.utility: floors.utility})
    return TableRow(group, cells, collapsed, _is_request(group[0], settings), is_method and _below(group, floors.gate))


def _below(group: Sequence[Run], floors: Mapping[str, float | None]) -> bool:
    """Whether a metric's mean over seeds is below its floor; one that is not defined counts as 0: nothing is left."""
    means = {metric: fmean(run.value(metric) or 0.0 for run in group) for metric in floors}
    return any(floor is not None and means[metric] < floor for metric, floor in floors.items())


def _cell(group: tuple[Run, ...], column: str, settings: TableSettings) -> Cell:
    name, _, detail = column.partition(".")
    about = next((run.about[name] for run in group if name in run.about), {})
    values = tuple(run.value(column) for run in group)
    reasons = [run.about.get(name, {}).get("reason") for run, value in zip(group, values, strict=True) if value is None]
    reason = next((reason for reason in reasons if reason), "not measured") if reasons else None
    reason = _zero(about, values) if column in settings.parts and reason is None else reason
    direction = about.get("direction", "") if not detail or name in settings.parts else ""
    guessed = column in settings.chance and _is_guessing(values, settings.chance[column], about.get("n", 0))
    return Cell(summarise(values), values, direction, reason, guessed)


def _is_guessing(values: Sequence[float | None], chance: float, count: int) -> bool:
    """Whether the mean of accuracies over ``count`` questions lies within two deviations of guessing."""
    known = [value for value in values if value is not None]
    return bool(known and count) and abs(fmean(known) - chance) <= 2 * (chance * (1 - chance) / count) ** 0.5


def _zero(about: Mapping[str, Any], values: Sequence[float | None]) -> str | None:
    """Say which part of a harmonic mean makes it 0; None where it is not."""
    details = about.get("details") or {}
    parts = [wording.in_sentence(name) for name, value in details.items() if value == 0]
    if not parts or any(values):
        return None
    return (
        f"0 because {parts[0]} is 0" if len(parts) == 1 else f"0 because {len(parts)} of its {len(details)} parts are 0"
    )


@dataclass(frozen=True)
class Floors:
    """What a method needs of the target's, or else the retrained model's, values; None where no reference tells.

    Attributes:
        utility: below it a model counts as collapsed.
        gate: by metric, below it a model is not ranked.
    """

    utility: float | None
    gate: Mapping[str, float | None]

    @classmethod
    def of(cls, runs: Sequence[Run], settings: TableSettings) -> Floors:
        """Return the floors of a task."""
        level, chance = _level(runs, settings.utility), settings.chance.get(settings.utility, 0.0)
        utility = None if level is None else chance + settings.collapsed * (level - chance)
        levels = {metric: _level(runs, metric) for metric in settings.gate}
        return cls(utility, {m: None if at is None else settings.gate[m] * at for m, at in levels.items()})


def _level(runs: Sequence[Run], metric: str) -> float | None:
    """Return a metric of the target or, where it has none, of the retrained model."""
    means = (summarise(run.value(metric) for run in runs if run.method == method).mean for method in REFERENCE_ORDER)
    return next((mean for mean in means if mean is not None), None)


def _is_detail(runs: Sequence[Run], column: str) -> bool:
    return column.partition(".")[2] in _details(runs, column)


def _details(runs: Sequence[Run], column: str) -> list[str]:
    name = column.partition(".")[0]
    found = [run.about.get(name, {}).get("details") or {} for run in runs]
    return list(dict.fromkeys(key for details in found for key in details))


def mark_best(found: list[TableRow]) -> list[TableRow]:
    """Mark the best cell of each column among methods that are ranked, where not all are equal."""
    columns = found[0].cells if found else {}
    able = [row for row in found if row.ranked]
    best = {column: _best(column, able, found) for column in columns}
    return [
        replace(row, cells={c: replace(cell, best=row.key in best[c]) for c, cell in row.cells.items()})
        for row in found
    ]


def _best(column: str, able: list[TableRow], found: list[TableRow]) -> set[str]:
    means = {row.key: row.cells[column].summary.mean for row in able if not row.cells[column].partial}
    known = {key: mean for key, mean in means.items() if mean is not None}
    scores = misses(column, known, found)
    if len(set(known.values())) < 2 or not scores:
        return set()
    return {key for key, score in scores.items() if score == min(scores.values())}


def misses(column: str, means: Mapping[str, float], found: Sequence[TableRow]) -> dict[str, float]:
    """Return how far means, by row, are from the best there could be; empty where a metric has no direction.

    Args:
        found: rows of the table; they tell the direction, and what the retrained model has.
    """
    direction = next((row.cells[column].direction for row in found if row.cells[column].direction), "")
    retrained = next((row.cells[column].summary.mean for row in found if row.first.method == "retrained"), None)
    goals = {"higher": None, "lower": None, "zero": 0.0, "match": retrained}
    if direction not in goals or (direction == "match" and retrained is None):
        return {}
    goal = goals[direction]
    sign = -1 if direction == "higher" else 1
    return {key: sign * mean if goal is None else abs(mean - goal) for key, mean in means.items()}
