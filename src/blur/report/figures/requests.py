"""More to forget at once, and request after request: metrics against the number of folds (MUSE's last two criteria)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from blur.core.settings import RequestName
from blur.report import panels, style
from blur.report.figures.base import Chance, FigureBase, Metrics, Row
from blur.report.runs import DEFAULT, Run, by_method, first_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


AXES = {"scalability": "Folds forgotten at once", "sustainability": "Requests, one after another"}


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    metrics: Metrics = Field(description="a row of panels each")
    scalability: tuple[RequestName, ...] = Field(
        (), description="by growing number of folds: the first forgets one (`default` does), the second two"
    )
    sustainability: tuple[RequestName, ...] = Field(
        (), description="by number of requests done, each started from the one before it"
    )
    chance: Chance = Field(None, description="what guessing gives, by metric")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, per kind of request, metric and method, the seeds and their mean after each number of folds.

        The number 0 is the target model, where every method starts. Requests that were not run have no rows.
        """
        rows: list[Row] = []
        for kind, variants in (("scalability", self.scalability), ("sustainability", self.sustainability)):
            groups = _asked(runs, variants)
            for metric in self.metrics:
                own = [
                    row
                    for (_, variant), group in groups.items()
                    for row in panels.points(group, metric, request=kind, number=variants.index(variant) + 1)
                ]
                rows += (
                    [*_start(runs, own, metric, kind), *own, *_levels(runs, metric, kind, self.chance)] if own else []
                )
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: a column per kind of request, a row per metric, a line per method."""
        kinds = list(dict.fromkeys(row["request"] for row in rows))
        shown = [metric for metric in self.metrics if any(row["metric"] == metric for row in rows)]
        if not kinds:
            return style.empty(title, "requests", "no request was run with these metrics")
        figure = style.figure(f"{title}: {' and '.join(kinds)}", 3.6 * len(kinds) + 2.2, 2.3 * len(shown) + 1.0)
        grid = figure.subplots(len(shown), len(kinds), squeeze=False, sharey="row", sharex="col")
        for line, metric in zip(grid, shown, strict=True):
            own = [row for row in rows if row["metric"] == metric]
            for axes, kind in zip(line, kinds, strict=True):
                _panel(axes, own, kind, runs, axes is line[-1])
            panels.name_axis(line[0], runs, metric)
        for place, kind in enumerate(kinds):
            grid[0][place].set_title(kind.capitalize() if len(kinds) > 1 else "", fontweight="bold")
            grid[-1][place].set_xlabel(AXES[kind])
        methods = dict.fromkeys(row["method"] for row in rows if row["kind"] == "mean")
        handles = [style.handle(first_of(runs)[method], line=True) for method in methods]
        figure.legend(handles=handles, loc="outside right upper", handlelength=2.6)
        style.note(figure, panels.note(rows) + " At 0: the target model.")
        return figure


def _asked(runs: Sequence[Run], variants: Sequence[str]) -> dict[tuple[str, str], list[Run]]:
    """Return the groups with one of ``variants``, of the methods that have more than the benchmark's own request."""
    groups = {key: group for key, group in by_method(runs).items() if key[1] in variants}
    methods = {method for method, variant in groups if variant != DEFAULT}
    return {key: group for key, group in groups.items() if key[0] in methods}


def _start(runs: Sequence[Run], own: list[Row], metric: str, kind: str) -> list[Row]:
    """Return the target's level as the point from which each method starts."""
    methods = {row["method"]: row["title"] for row in own}
    named = {"kind": "start", "request": kind, "number": 0, "metric": metric}
    return [
        {**named, "method": method, "title": title, "value": level["value"]}
        for level in panels.levels(runs, metric)
        if level["method"] == "target"
        for method, title in methods.items()
    ]


def _levels(runs: Sequence[Run], metric: str, kind: str, chance: Mapping[str, float] | None) -> list[Row]:
    found = panels.levels(runs, metric, chance)
    return [{**row, "request": kind} for row in found if row["method"] != "target"]


def _panel(axes: Axes, rows: list[Row], kind: str, runs: Sequence[Run], last: bool) -> None:
    """Draw one kind of request.

    Args:
        rows: of one metric, both kinds: they share the axis.
    """
    metric = rows[0]["metric"]
    points = [row for row in rows if "number" in row and row["request"] == kind]
    methods = list(dict.fromkeys(row["method"] for row in points))
    limit = panels.ends(rows, metric)
    for place, method in enumerate(methods):
        own = [row for row in points if row["method"] == method]
        run = first_of(runs)[method]
        # Side by side, so that intervals at one number of folds do not hide each other.
        shift = 0.05 * (place - (len(methods) - 1) / 2)
        panels.draw_points(axes, own, [row["number"] and row["number"] + shift for row in own], run, limit)
    numbers = range(max(row["number"] for row in points) + 1)
    axes.set_xticks(numbers)
    axes.set_xlim(-0.3, numbers[-1] + 0.3)
    panels.fit(axes, rows, metric)
    levels = {row["method"]: row for row in rows if "number" not in row}
    panels.draw_levels(axes, list(levels.values()), named=last)
