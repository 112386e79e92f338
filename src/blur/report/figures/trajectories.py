"""Metrics against epochs for every method: a column per forget loss, a row per metric (paper, Fig. C.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.report import panels, style, wording
from blur.report.figures.base import Chance, FigureBase, Metrics, Row
from blur.report.runs import Run, by_method, finite, first_of, of_default
from blur.report.summary import Summary, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    metrics: Metrics = Field(description="of each epoch, from the top row to the bottom one")
    chance: Chance = Field(None, description="what guessing gives, by metric")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, per method and epoch, mean and interval of each metric; then levels of references and of guessing."""
        rows = [row for group in by_method(of_default(runs)).values() for row in _epochs(group, self.metrics)]
        references = by_method(run for run in runs if run.is_reference and run.method != "base").values()
        levels = [row for group in references if (row := _level(group, self.metrics))]
        guesses = {metric: level for metric, level in (self.chance or {}).items() if metric in self.metrics}
        guess = {"kind": "chance", "method": "chance", "title": "Chance", "epoch": None, **guesses}
        return [*rows, *levels, *([guess] if guesses and rows else [])]

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``."""
        methods = [row for row in rows if row["kind"] == "method"]
        if not methods:
            return style.empty(title, "trajectories", "no run kept metrics at its epochs' ends")
        families = list(dict.fromkeys(row["family"] for row in methods))
        across, blocks = style.layout(len(families))
        height = (2.1 * len(self.metrics) + 0.8) * blocks + 0.4
        figure = style.figure(f"{title}: forgetting and keeping, epoch by epoch", max(2.55 * across, 4.2) + 0.6, height)
        grid = figure.subplots(len(self.metrics) * blocks, across, squeeze=False, sharex=True, sharey="row")
        for axes in grid.flat:
            axes.set_visible(False)
        for place, family in enumerate(families):
            top = len(self.metrics) * (place // across)
            column = [grid[top + level][place % across] for level in range(len(self.metrics))]
            sides = place % across == 0, place in (across - 1, len(families) - 1)
            _column(column, rows, family, runs, self.metrics, sides)
            column[0].set_title(style.loss_title(family), fontweight="bold")
        cut = any(style.is_cut(methods, key, style.bounds(key, [row[key] for row in methods])) for key in self.metrics)
        style.note(figure, style.seeds_note((row["n"] for row in methods), "bands", cut) + style.levels_note(rows))
        return figure


def _epochs(group: list[Run], metrics: Sequence[str]) -> list[Row]:
    epochs: dict[float, list[dict[str, Any]]] = {}
    for run in group:
        for record in run.trajectory:
            epochs.setdefault(record["epoch"], []).append(record)
    rows = []
    for epoch, records in sorted(epochs.items()):
        found = {key: summarise(finite(record.get(key)) for record in records) for key in metrics}
        rows += [_row("method", group[0], epoch, found)] if any(summary.n for summary in found.values()) else []
    return rows


def _level(group: list[Run], metrics: Sequence[str]) -> Row | None:
    found = {key: summarise(run.value(key) for run in group) for key in metrics}
    return _row("reference", group[0], None, found) if any(summary.n for summary in found.values()) else None


def _row(kind: str, run: Run, epoch: float | None, found: dict[str, Summary]) -> Row:
    named = {"method": run.method, "title": run.title, "family": run.family, "variant": run.variant}
    columns = {key: value for metric, summary in found.items() for key, value in summary.columns(metric).items()}
    return {"kind": kind, **named, "epoch": epoch, "n": max(summary.n for summary in found.values()), **columns}


def _column(
    column: list[Axes],
    rows: list[Row],
    family: str,
    runs: Sequence[Run],
    metrics: Sequence[str],
    sides: tuple[bool, bool],
) -> None:
    """Draw the methods of one forget loss.

    Args:
        rows: of all methods, which share their axes.
        sides: whether the column is the first and whether it is the last of its block.
    """
    from matplotlib.ticker import MaxNLocator

    known = first_of(runs)
    methods = list(dict.fromkeys(row["method"] for row in rows if row.get("family") == family))
    for axes, key in zip(column, metrics, strict=True):
        axes.set_visible(True)
        axes.tick_params(labelbottom=axes is column[-1])
        seen = [row for row in rows if row.get(key) is not None]
        ends = style.bounds(key, [row[key] for row in seen])
        for place, method in enumerate(methods):
            line = [row for row in seen if row["method"] == method]
            _line(axes, line, key, known[method], ends, len(methods) - 1 - place)
        _fit(axes, [row[key] for row in seen], key)
        levels = [{**row, "value": row[key]} for row in seen if row["kind"] != "method"]
        panels.draw_levels(axes, levels, named=sides[1])
        if sides[0]:
            axes.set_ylabel(f"{wording.label(key)}\n{wording.better(runs, key)}")
    column[-1].set_xlabel("Epoch")
    column[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    column[-1].legend(
        handles=[style.handle(known[method], line=True) for method in methods],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.22),
        ncols=2,
        columnspacing=1.0,
        handlelength=2.6,
    )


def _line(axes: Axes, line: list[Row], key: str, run: Run, ends: tuple[float, float], later: int) -> None:
    """Draw one method; the more lines come ``later``, the thicker, so that lines on one path all stay visible."""
    look = style.look(run)
    axes.plot(
        [row["epoch"] for row in line],
        [row[key] for row in line],
        linestyle=look.line,
        linewidth=1.5 + 0.3 * later,
        gid=run.method,
        **(look.points() | {"markersize": 4.5 + 0.7 * later}),
    )
    banded = [row for row in line if row[f"{key}_low"] is not None]
    spans = [style.cut(row[f"{key}_low"], row[f"{key}_high"], ends) for row in banded]
    axes.fill_between(
        [row["epoch"] for row in banded],
        [low for low, _ in spans],
        [high for _, high in spans],
        color=look.colour,
        alpha=0.13,
        linewidth=0,
    )


def _fit(axes: Axes, values: list[float], key: str) -> None:
    """Show where the means are: the band of a few seeds may be wider than a probability can be."""
    if values and style.bounds(key, values) == (0.0, 1.0):
        axes.set_ylim(-0.03, 1.03)
    elif values:
        panels.fit(axes, [{"value": value} for value in values], key)
