"""One hyper-parameter of one method, swept: a panel per metric, the default ringed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import MethodName, SettingName
from blur.report import panels, style
from blur.report.figures.base import Chance, FigureBase, Metrics, Row
from blur.report.runs import DEFAULT, Run, first_of
from blur.report.sweeps import of_parameter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


SYMBOLS = {"combine.gamma": "γ", "combine.lam": "λ", "optimizer.lr": "learning rate"}


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    method: MethodName = Field(description="its variants are read; those that differ in anything else are left out")
    parameter: SettingName = Field(description="dotted key of the setting, for example `combine.gamma`")
    metrics: Metrics = Field(description="one for each panel")
    chance: Chance = Field(None, description="what guessing gives, by metric")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, per metric and value of the parameter, the seeds and their mean; then the levels to compare with."""
        groups: dict[tuple[float, str], list[Run]] = {}
        for value, run in of_parameter(runs, self.method, self.parameter):
            groups.setdefault((value, run.variant), []).append(run)
        rows: list[Row] = []
        for metric in self.metrics:
            own = [
                row
                for (value, variant), group in groups.items()
                for row in panels.points(group, metric, parameter=value, default=variant == DEFAULT)
            ]
            rows += [*own, *panels.levels(runs, metric, self.chance)] if own else []
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``."""
        shown = list(dict.fromkeys(row["metric"] for row in rows))
        if not shown:
            return style.empty(
                title, "ablation", f"no run of {self.method} tells {self.parameter} and one of the metrics"
            )
        run = first_of(runs)[self.method]
        symbol = SYMBOLS.get(self.parameter, self.parameter)
        figure, grid = panels.grid(f"{title}: {run.title} over {symbol}", len(shown))
        for axes, metric in zip(grid, shown, strict=True):
            _panel(axes, [row for row in rows if row["metric"] == metric], metric, run)
            axes.set_xlabel(symbol)
            panels.name_axis(axes, runs, metric)
        style.note(figure, panels.note(rows) + _default(rows, symbol))
        return figure


def _panel(axes: Axes, rows: list[Row], metric: str, run: Run) -> None:
    own = [row for row in rows if "parameter" in row]
    panels.draw_points(axes, own, [row["parameter"] for row in own], run, panels.ends(rows, metric))
    for row in (row for row in own if row["default"] and row["kind"] == "mean"):
        ring: dict[str, Any] = {
            "marker": "o",
            "markersize": 13,
            "markerfacecolor": "none",
            "markeredgecolor": "#333333",
        }
        axes.plot(row["parameter"], row["value"], linestyle="none", zorder=3.5, gid="default", **ring)
    _values(axes, sorted({row["parameter"] for row in own}))
    panels.fit(axes, rows, metric)
    panels.draw_levels(axes, [row for row in rows if "parameter" not in row], named=True)


def _values(axes: Axes, values: list[float]) -> None:
    """Give each value its tick; on a logarithmic axis where all are positive."""
    from matplotlib.ticker import FixedLocator, NullLocator

    if values[0] > 0:
        axes.set_xscale("log")
        room = (values[-1] / values[0]) ** 0.1 if len(values) > 1 else 2.0
        axes.set_xlim(values[0] / room, values[-1] * room)
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values, [f"{value:g}" for value in values])


def _default(rows: list[Row], symbol: str) -> str:
    value = next((row["parameter"] for row in rows if row.get("default")), None)
    return "" if value is None else f" Ringed: the default, {symbol} = {value:g}."
