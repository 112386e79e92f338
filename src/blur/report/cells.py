"""The results table as numbers: rows, columns, collapsed models, the best of a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from blur.report.runs import DEFAULT, Run, by_method, swept
from blur.report.summary import Summary, summarise

HEADLINE = (
    "forget_quality",
    "forget_quality.ks_statistic",
    "model_utility",
    "forget_rouge",
    "forget_probability",
    "forget_truth_ratio",
    "extraction_strength",
    "privleak",
)
UTILITY = "model_utility"
WIDTH = 9
COLLAPSED = 0.5


@dataclass(frozen=True)
class Cell:
    """One number of the table.

    Attributes:
        values: by seed, in the order of the row's runs; None where not defined.
        reason: why it is not defined, where it is not.
    """

    summary: Summary
    values: tuple[float | None, ...]
    direction: str
    reason: str | None
    best: bool = False

    @property
    def partial(self) -> bool:
        """Whether some seeds have a value and others have none, so that the mean is of the survivors."""
        return 0 < self.summary.n < len(self.values)


@dataclass(frozen=True)
class TableRow:
    """One (method, variant) with its cells by metric."""

    runs: tuple[Run, ...]
    cells: dict[str, Cell]
    collapsed: bool

    @property
    def first(self) -> Run:
        """The run that names the row."""
        return self.runs[0]

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
        symbol = {"bilevel": "γ", "weighted": "λ"}.get(run.combine.get("name", ""), "")
        strengths = {swept(run) for run in self.runs}
        known = bool(symbol) and min(strengths) >= 0 and not run.is_matched
        strength = f", {symbol} = {sum(strengths) / len(strengths):.3g}" if known else ""
        return f"{run.title} ({run.variant}{strength})"


@dataclass(frozen=True)
class Section:
    """A table: its rows and the metrics of its columns."""

    title: str
    rows: tuple[TableRow, ...]
    columns: tuple[str, ...]


def sections(runs: Sequence[Run], columns: Sequence[str] = HEADLINE, collapsed: float = COLLAPSED) -> list[Section]:
    """Return the tables of a task: headline, utility's parts, all other metrics, and the variants at the end.

    Args:
        columns: metrics of the headline table, ``metric.detail`` for a detail; those that no run has are left out.
        collapsed: a model whose utility is below this share of the target's counts as collapsed.
    """
    names = all_metrics(runs)
    parts = tuple(f"{UTILITY}.{part}" for part in _details(runs, UTILITY))
    headline = tuple(
        column for column in columns if column in names or column.partition(".")[2] in _details(runs, column)
    )
    rest = [name for name in names if name not in headline and f"{UTILITY}.{name}" not in parts]
    main = [run for run in runs if run.variant == DEFAULT]
    variants = [run for run in runs if run.variant != DEFAULT]
    floor = _floor(runs, collapsed)
    plans = [("Forgetting and utility", main, headline)]
    plans += [("Model utility: the harmonic mean and its parts", main, (UTILITY, *parts))] if parts else []
    plans += [("Further metrics", main, tuple(rest[at : at + WIDTH])) for at in range(0, len(rest), WIDTH)]
    plans += [("Variants", variants, headline)] if variants else []
    return [Section(title, tuple(_mark_best(_rows(own, chosen, floor))), chosen) for title, own, chosen in plans if own]


def all_metrics(runs: Sequence[Run]) -> list[str]:
    """Return the names of all metrics that a run has, in alphabetical order."""
    return sorted({name for run in runs for name in run.metrics})


def rows(runs: Sequence[Run]) -> list[TableRow]:
    """Return every (method, variant) with every metric."""
    return _rows(runs, all_metrics(runs), _floor(runs, COLLAPSED))


def _rows(runs: Sequence[Run], columns: Sequence[str], floor: float | None) -> list[TableRow]:
    return [_row(tuple(group), columns, floor) for group in by_method(runs).values()]


def _row(group: tuple[Run, ...], columns: Sequence[str], floor: float | None) -> TableRow:
    utility = fmean(run.value(UTILITY) or 0.0 for run in group)  # where it is not defined, nothing is left of it
    collapsed = floor is not None and utility < floor and not group[0].is_reference
    return TableRow(group, {column: _cell(group, column) for column in columns}, collapsed)


def _cell(group: tuple[Run, ...], column: str) -> Cell:
    name, _, detail = column.partition(".")
    about = next((run.about[name] for run in group if name in run.about), {})
    values = tuple(run.value(column) for run in group)
    reasons = [run.about.get(name, {}).get("reason") for run, value in zip(group, values, strict=True) if value is None]
    reason = next((reason for reason in reasons if reason), "not measured") if reasons else None
    direction = about.get("direction", "") if not detail or name == UTILITY else ""
    return Cell(summarise(values), values, direction, reason)


def _floor(runs: Sequence[Run], share: float) -> float | None:
    """Utility below which a model counts as collapsed; None where no reference tells."""
    for method in ("target", "retrained"):
        reference = summarise(run.value(UTILITY) for run in runs if run.method == method).mean
        if reference is not None:
            return share * reference
    return None


def _details(runs: Sequence[Run], column: str) -> list[str]:
    name = column.partition(".")[0]
    found = [run.about.get(name, {}).get("details") or {} for run in runs]
    return list(dict.fromkeys(key for details in found for key in details))


def _mark_best(found: list[TableRow]) -> list[TableRow]:
    """Mark the best cell of each column among methods that have not collapsed, where not all are equal."""
    columns = found[0].cells if found else {}
    able = [row for row in found if not row.collapsed and not row.first.is_reference]
    best = {column: _best(column, able, found) for column in columns}
    return [
        TableRow(row.runs, {c: _marked(cell, row.key in best[c]) for c, cell in row.cells.items()}, row.collapsed)
        for row in found
    ]


def _marked(cell: Cell, best: bool) -> Cell:
    return Cell(cell.summary, cell.values, cell.direction, cell.reason, best)


def _best(column: str, able: list[TableRow], found: list[TableRow]) -> set[str]:
    means = {row.key: row.cells[column].summary.mean for row in able if not row.cells[column].partial}
    known = {key: mean for key, mean in means.items() if mean is not None}
    direction = next((row.cells[column].direction for row in found if row.cells[column].direction), "")
    retrained = next((row.cells[column].summary.mean for row in found if row.first.method == "retrained"), None)
    goals = {"higher": None, "lower": None, "zero": 0.0, "match": retrained}
    if len(set(known.values())) < 2 or direction not in goals or (direction == "match" and retrained is None):
        return set()
    goal = goals[direction]
    sign = -1 if direction == "higher" else 1
    scores = {key: sign * mean if goal is None else abs(mean - goal) for key, mean in known.items()}
    return {key for key, score in scores.items() if score == min(scores.values())}
