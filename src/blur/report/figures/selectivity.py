"""How much of forget and of retain is lost as neurons are pruned, step by step (arXiv 2403.01267)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import ColumnName
from blur.report import panels, style, wording
from blur.report.figures.base import FigureBase, Row
from blur.report.runs import Run, by_method, finite
from blur.report.summary import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SIDES = {"forget": style.RED, "retain": style.BLUE}


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    forget: ColumnName = Field(description="a metric of each epoch, the higher the more is known")
    retain: ColumnName = Field(description="the same of what is to be kept")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, per method, variant and step, the share pruned, the shares lost and the area between them so far."""
        groups = by_method(run for run in runs if _fraction(run) is not None and run.trajectory)
        return [row for group in groups.values() for row in self._curve(group)]

    def _curve(self, group: list[Run]) -> list[Row]:
        first, fraction = group[0], _fraction(group[0]) or 0.0
        named = {"kind": "mean", "method": first.method, "title": first.title, "variant": first.variant}
        lost = {side: [_lost(run, getattr(self, side)) for run in group] for side in SIDES}
        steps = sorted(set.intersection(*({*one} for side in SIDES for one in lost[side])))
        rows: list[Row] = []
        for step in steps:
            found = {side: summarise(one[step] for one in lost[side]) for side in SIDES}
            columns = {key: value for side, summary in found.items() for key, value in summary.columns(side).items()}
            rows.append({**named, "step": step, "pruned": step * fraction, "n": found["forget"].n, **columns})
        return [{**row, "area": _area(rows[: place + 1])} for place, row in enumerate(rows)]

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``."""
        names = list(dict.fromkeys((row["method"], row["variant"]) for row in rows))
        if not names:
            return style.empty(title, "selectivity", "no run prunes and kept metrics after its steps")
        figure, grid = panels.grid(f"{title}: what pruning takes", len(names))
        for axes, name in zip(grid, names, strict=True):
            own = [row for row in rows if (row["method"], row["variant"]) == name]
            _panel(axes, own)
            axes.set_xlabel("Share of neurons pruned")
            axes.set_ylabel("Share lost")
        grid[0].legend(loc="upper left")
        told = " and ".join(f"{side}: {wording.label(getattr(self, side))}" for side in SIDES)
        style.note(figure, f"{style.seeds_note(row['n'] for row in rows)} Lost, of {told}; between them, selectivity.")
        return figure


def _fraction(run: Run) -> float | None:
    return finite((run.settings.get("edit") or {}).get("fraction"))


def _lost(run: Run, metric: str) -> dict[float, float]:
    """Return the share of a metric that is lost, by step; empty where it starts from nothing."""
    values = {record["epoch"]: finite(record.get(metric)) for record in run.trajectory}
    start = values.get(0)
    return {step: 1 - value / start for step, value in values.items() if value is not None} if start else {}


def _area(rows: Sequence[Row]) -> float:
    """Return the area between the two curves, by trapezoids: above 0 where forget is lost first."""
    gaps = [(row["pruned"], row["forget"] - row["retain"]) for row in rows]
    return sum((after - before) * (low + high) / 2 for (before, low), (after, high) in pairwise(gaps))


def _panel(axes: Axes, own: list[Row]) -> None:
    xs = [row["pruned"] for row in own]
    for side, colour in SIDES.items():
        line: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 4}
        axes.plot(xs, [row[side] for row in own], label=side, gid=f"{own[0]['variant']} {side}", **line)
        spans = [(row["pruned"], row[f"{side}_low"], row[f"{side}_high"]) for row in own]
        for x, low, high in spans:
            if low is not None:
                axes.vlines(x, low, high, color=colour, linewidth=5, alpha=0.25)
    axes.fill_between(xs, [r["forget"] for r in own], [r["retain"] for r in own], color=style.GREY, alpha=0.15)
    name = own[0]["title"] if own[0]["variant"] == "default" else f"{own[0]['title']} ({own[0]['variant']})"
    axes.set_title(f"{name}: area {own[-1]['area']:.3f}")
