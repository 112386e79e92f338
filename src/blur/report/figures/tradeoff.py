"""Forgetting against utility: a GradDiff sweep over lambda as a line, every other method as a point (paper, Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import ColumnName, MethodName
from blur.report import labels, style, wording
from blur.report.figures.base import Chance, FigureBase, Metrics, Row
from blur.report.runs import Run, by_method, first_of, of_default, swept
from blur.report.summary import summarise
from blur.report.sweeps import sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


Ends = dict[str, tuple[float, float]]  # by metric, forget before utility: what it cannot pass


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    forget: Metrics = Field(description="metric of the vertical axis of each panel, lower is better")
    utility: ColumnName = Field(description="metric of the horizontal axis, higher is better")
    line: MethodName = Field("graddiff", description="method whose sweep over lambda is drawn as a line")
    chance: Chance = Field(None, description="what guessing gives, by metric")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return one row per panel and point: mean and interval over the seeds in which both metrics are defined."""
        along = sweep(runs, self.line)
        is_swept = len({swept(run) for run in along}) > 1
        parts = {
            "reference": [run for run in runs if run.is_reference],
            "sweep": along if is_swept else [],
            "method": [run for run in of_default(runs) if run.method != self.line or not is_swept],
        }
        groups = [(kind, group) for kind, part in parts.items() for group in by_method(part).values()]
        groups.sort(key=lambda pair: (list(parts).index(pair[0]), swept(pair[1][0]) if pair[0] == "sweep" else 0.0))
        rows = [_row(kind, group, metric, self.utility) for metric in self.forget for kind, group in groups]
        rows = [row for row in rows if row["n"]]
        levels = {
            metric: level for metric, level in (self.chance or {}).items() if metric in (*self.forget, self.utility)
        }
        return rows + [{"kind": "chance", metric: level} for metric, level in levels.items() if rows]

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: a panel per forget metric, one legend."""
        points = [row for row in rows if row["kind"] != "chance"]
        shown = [metric for metric in self.forget if any(row["panel"] == metric for row in points)]
        if not shown:
            return style.empty(title, "trade-off", f"no run has both {' or '.join(self.forget)} and {self.utility}")
        known = first_of(runs)
        figure = style.figure(f"{title}: forgetting against utility", 3.2 + 4.2 * len(shown), 4.6)
        entries: dict[Any, Any] = {}
        parts = {metric: [row for row in points if row["panel"] == metric] for metric in shown}
        ends = {key: style.bounds(key, [row[key] for row in points if key in row]) for key in (*shown, self.utility)}
        all_axes = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, (metric, own) in zip(all_axes, parts.items(), strict=True):
            both = {metric: ends[metric], self.utility: ends[self.utility]}
            entries |= {entry.get_label(): entry for entry in _panel(axes, own, known, both)}
            _chance(axes, rows, metric, self.utility)
        all_axes[-1].legend(handles=list(entries.values()), loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
        cut = any(style.is_cut(own, key, ends[key]) for metric, own in parts.items() for key in (metric, self.utility))
        counts = (row["n"] for row in points if row["kind"] != "reference")
        guesses = [row for row in rows if row["kind"] == "chance"]
        style.note(figure, style.seeds_note(counts, cut=cut) + style.levels_note(guesses))
        for axes, (metric, own) in zip(all_axes, parts.items(), strict=True):
            _labels(axes, own, {metric: ends[metric], self.utility: ends[self.utility]}, guesses)
        return figure


def _row(kind: str, group: list[Run], forget: str, utility: str) -> Row:
    both = [run for run in group if run.value(forget) is not None and run.value(utility) is not None]
    across, up = summarise(run.value(utility) for run in both), summarise(run.value(forget) for run in both)
    first = group[0]
    return {
        "panel": forget,
        "kind": kind,
        "method": first.method,
        "title": first.title,
        "variant": first.variant,
        "lambda": swept(first) if kind == "sweep" else None,
        "n": across.n,
        **across.columns(utility),
        **up.columns(forget),
    }


def _panel(axes: Axes, rows: list[Row], known: dict[str, Run], ends: Ends) -> list[Any]:
    """Draw the points of one panel and return their legend entries."""
    forget, utility = ends
    axes.set_xlabel(f"{wording.label(utility)} (higher is better →)")
    axes.set_ylabel(f"{wording.label(forget)} (← lower is better)")
    line = [row for row in rows if row["kind"] == "sweep"]
    axes.plot(
        [row[utility] for row in line],
        [row[forget] for row in line],
        "-",
        zorder=2,
        color=style.look(known[line[0]["method"]]).colour if line else None,
        linewidth=1.2,
    )
    entries = [_point(axes, row, known[row["method"]], ends, place) for place, row in enumerate(rows)]
    axes.margins(0.08)
    return entries


def _chance(axes: Axes, rows: list[Row], forget: str, utility: str) -> None:
    line: dict[str, Any] = {
        "color": "#444444",
        "linewidth": 1.0,
        "linestyle": style.CHANCE,
        "zorder": 1.5,
        "gid": "chance",
    }
    for row in (row for row in rows if row["kind"] == "chance"):
        if forget in row:
            axes.axhline(row[forget], **line)
        if utility in row:
            axes.axvline(row[utility], **line)


def _point(axes: Axes, row: Row, run: Run, ends: Ends, place: int) -> Any:
    """Draw one point; later ones are smaller, so that methods which collapse onto one spot all stay visible.

    References are so large that a method which reaches one does not hide it.
    """
    look = style.look(run)
    forget, utility = ends
    for metric, other, plot in ((utility, forget, axes.hlines), (forget, utility, axes.vlines)):
        if row[f"{metric}_low"] is not None:
            span = style.cut(row[f"{metric}_low"], row[f"{metric}_high"], ends[metric])
            plot(row[other], *span, color=look.colour, linewidth=1.6, alpha=0.75, zorder=2.5)
    size = 17 if run.is_reference else max(6.0, 10 - 0.35 * place)
    axes.plot(
        row[utility],
        row[forget],
        linestyle="none",
        markersize=size,
        zorder=3 + place / 100,
        clip_on=False,
        gid=f"{row['method']}/{row['variant']}",
        **look.points(),
    )
    name = f"{run.title}, swept over λ" if row["kind"] == "sweep" else run.title
    return style.handle(run, name)


def _labels(axes: Axes, rows: list[Row], ends: Ends, guesses: list[Row]) -> None:
    forget, utility = ends
    line = [row for row in rows if row["kind"] == "sweep"]
    others = [(row[utility], row[forget]) for row in rows if row["kind"] != "sweep"]
    texts = [f"λ = {row['lambda']:g}" if place == 0 else f"{row['lambda']:g}" for place, row in enumerate(line)]
    spots = [(row[utility], row[forget]) for row in line]
    strokes = [spots, *(bar for row in rows for bar in style.bars(row, ends))]
    specks = [spot for stroke in strokes for spot in labels.along(stroke, 12)]
    specks += [spot for stroke in _chance_lines(axes, guesses, ends) for spot in labels.along(stroke, 60)]
    named = [labels.Label(spot, text) for spot, text in zip(spots, texts, strict=True)]
    labels.place(axes, named, others, specks)


def _chance_lines(axes: Axes, guesses: list[Row], ends: Ends) -> list[list[tuple[float, float]]]:
    forget, utility = ends
    level = [[(end, row[forget]) for end in axes.get_xlim()] for row in guesses if forget in row]
    return level + [[(row[utility], end) for end in axes.get_ylim()] for row in guesses if utility in row]
