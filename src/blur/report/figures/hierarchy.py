"""Who has priority: forgetting (BLUR), keeping (the reversed hierarchy), or neither (a weighted sum), side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from blur.core.settings import RunName
from blur.report import panels, style, wording
from blur.report.figures.base import Chance, FigureBase, Metrics, Row
from blur.report.runs import DEFAULT, Run, by_method, swept
from blur.report.summary import Summary, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    compare: tuple[RunName, ...] = Field(
        min_length=1,
        description="`method` or `method/variant`, from left to right; equal losses make a fair comparison",
    )
    metrics: Metrics = Field(description="one for each panel")
    chance: Chance = Field(None, description="what guessing gives, by metric")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, per metric, seeds and mean of each combination, the levels, and the first minus each of the others.

        Differences are taken within a seed and averaged over the seeds that both have.
        """
        groups = {key: group for key in self.compare if (group := _runs(runs, key))}
        rows: list[Row] = []
        for metric in self.metrics:
            own = [row for key, group in groups.items() for row in panels.points(group, metric, combination=key)]
            rows += (
                [*own, *panels.levels(runs, metric, self.chance), *_differences(groups, self.compare[0], metric)]
                if own
                else []
            )
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``; the differences stand below each panel."""
        shown = list(dict.fromkeys(row["metric"] for row in rows))
        if not shown:
            return style.empty(title, "hierarchy", f"no run of {', '.join(self.compare)} has one of the metrics")
        known = {key: group[0] for key in self.compare if (group := _runs(runs, key))}
        figure, grid = panels.grid(f"{title}: which gradient has priority", len(shown))
        for axes, metric in zip(grid, shown, strict=True):
            own = [row for row in rows if row["metric"] == metric]
            _panel(axes, own, metric, known)
            axes.set_xlabel("\n".join(_sentence(row, known) for row in own if row["kind"] == "difference"), fontsize=8)
            panels.name_axis(axes, runs, metric)
        absent = [key for key in self.compare if key not in known]
        missing = f" Not run: {', '.join(absent)}." if absent else ""
        style.note(figure, f"{panels.note(rows)}{missing}\n{_legend(known)}")
        return figure


def _runs(runs: Sequence[Run], key: str) -> list[Run]:
    method, _, variant = key.partition("/")
    return by_method(runs).get((method, variant or DEFAULT), [])


def _differences(groups: dict[str, list[Run]], first: str, metric: str) -> list[Row]:
    values = {
        key: {run.seed: value for run in group if (value := run.value(metric)) is not None}
        for key, group in groups.items()
    }
    rows = []
    for key in (key for key in groups if key != first and first in groups):
        seeds = sorted(values[first].keys() & values[key].keys())
        gap = summarise(values[first][seed] - values[key][seed] for seed in seeds)
        named = {"kind": "difference", "metric": metric, "combination": f"{first} - {key}", "n": gap.n}
        rows += [{**named, **gap.columns("value")}] if gap.n else []
    return rows


def _panel(axes: Axes, rows: list[Row], metric: str, known: dict[str, Run]) -> None:
    levels = [row for row in rows if row["kind"] in ("reference", "chance")]
    drawn = [row for row in rows if row["kind"] in ("seed", "mean")]
    limit = panels.ends([*drawn, *levels], metric)
    for place, (key, run) in enumerate(known.items()):
        own = [row for row in drawn if row["combination"] == key]
        panels.draw_points(axes, own, [place] * len(own), run, limit)
    axes.set_xticks(range(len(known)), [_name(run) for run in known.values()])
    axes.set_xlim(-0.6, len(known) - 0.4)
    axes.grid(visible=False, axis="x")
    panels.fit(axes, [*drawn, *levels], metric)
    panels.draw_levels(axes, levels, named=True)


def _name(run: Run) -> str:
    """Return the kind of a combination, which is what sets the columns apart."""
    return str(run.combine.get("name", run.variant))


def _sentence(row: Row, known: dict[str, Run]) -> str:
    first, other = (_name(known[key]) for key in row["combination"].split(" - "))
    gap = Summary(row["value"], row["value_low"], row["value_high"], row["n"])
    return f"{first} − {other}: {wording.signed(gap)}"


def _legend(known: dict[str, Run]) -> str:
    """Say which run each column is."""
    parts = []
    for run in known.values():
        symbol = wording.STRENGTHS.get(_name(run))
        strength = f", {symbol} = {swept(run):g}" if symbol and swept(run) >= 0 else ""
        variant = "" if run.variant == DEFAULT else f"/{run.variant}"
        parts.append(f"{_name(run)}: {run.title}{variant}{strength}")
    return "; ".join(parts) + ". Below each panel: differences within a seed."
