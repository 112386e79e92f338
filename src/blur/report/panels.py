"""Panels of one metric each: rows over seeds, the levels to compare them with, and an axis that fits both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blur.report import style, wording
from blur.report.runs import Run, by_method
from blur.report.summary import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
Chance = Mapping[str, float]
WIDE = 1e3  # from this ratio of values on an axis is logarithmic: a perplexity may span a hundred decades
NEAR = 0.085  # share of the height that a name takes


def points(group: Sequence[Run], metric: str, **named: Any) -> list[Row]:
    """Return a row per seed in which a metric is defined, then that of their mean; none where it is nowhere defined.

    Args:
        group: the seeds of one (method, variant).
        named: further columns of each row.
    """
    first = group[0]
    whose = {"method": first.method, "title": first.title, "variant": first.variant, **named, "metric": metric}
    known = [run for run in group if run.value(metric) is not None]
    rows = [{"kind": "seed", **whose, "seed": run.seed, "value": run.value(metric)} for run in known]
    found = summarise(run.value(metric) for run in known)
    # The mean of p-values over seeds has no symmetric interval; the seeds are drawn beside it.
    columns = {"value": found.mean} if wording.is_p_value(metric) else found.columns("value")
    return [*rows, {"kind": "mean", **whose, "n": found.n, **columns}] if known else []


def levels(runs: Sequence[Run], metric: str, chance: Chance | None = None) -> list[Row]:
    """Return the mean of target and retrained model, and what guessing gives where that is known."""
    references = by_method(run for run in runs if run.method in ("target", "retrained")).values()
    rows = [row for group in references for row in points(group, metric) if row["kind"] == "mean"]
    rows = [{**row, "kind": "reference"} for row in rows]
    guess = {"kind": "chance", "method": "chance", "title": "Chance", "metric": metric}
    return [*rows, {**guess, "value": chance[metric]}] if chance and metric in chance else rows


def name_axis(axes: Axes, runs: Sequence[Run], metric: str) -> None:
    """Write a metric and its direction along the vertical axis."""
    axes.set_ylabel(f"{wording.label(metric)}\n{wording.better(runs, metric)}".strip())


def grid(heading: str, number: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with its heading and ``number`` panels, at most three in a row."""
    across, down = style.layout(number, 3)
    figure = style.figure(heading, max(3.5 * across, 5.5) + 0.3, 2.9 * down + 0.9)
    found = list(figure.subplots(down, across, squeeze=False).flat)
    for axes in found[number:]:
        axes.set_visible(False)
    return figure, found[:number]


def note(rows: Sequence[Row]) -> str:
    """Say what points, bars and lines of the panels are."""
    cut = any(
        style.is_cut(own, "value", ends(own, metric))
        for metric in {row["metric"] for row in rows}
        if (own := [row for row in rows if row["metric"] == metric and row["kind"] == "mean"])
    )
    counts = [row["n"] for row in rows if row["kind"] == "mean"]
    small = " Small marks: each seed." if max(counts, default=0) > 1 else ""
    return style.seeds_note(counts, cut=cut) + small + style.levels_note(rows)


def interval(row: Row, ends: tuple[float, float]) -> tuple[float, float] | None:
    """Return a row's interval without what the metric cannot be; None where there is none."""
    return None if row.get("value_low") is None else style.cut(row["value_low"], row["value_high"], ends)


def ends(rows: Iterable[Row], metric: str) -> tuple[float, float]:
    """Return what a metric cannot pass, told from its values in ``rows``."""
    return style.bounds(metric, [row["value"] for row in rows])


def fit(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    """Fit an axis to values, intervals and levels; where a metric without bounds spans decades, logarithmically."""
    limit = ends(rows, metric)
    values = [row["value"] for row in rows]
    size = [abs(value) for value in values if value]
    if size and (wording.is_p_value(metric) or limit[0] < 0) and max(size) > WIDE * min(size):
        # A p-value of exactly 0, or values of both signs, have no logarithm.
        if min(values) > 0:
            axes.set_yscale("log")
            margin = max(0.3, 0.1 * (math.log10(max(size)) - math.log10(min(size))))
            axes.set_ylim(min(size) / 10**margin, 10 ** min(308.0, math.log10(max(size)) + margin))
        else:
            axes.set_yscale("symlog", linthresh=min(size))
        return
    spans = [span for row in rows if (span := interval(row, limit))]
    low = min([*values, *(low for low, _ in spans)])
    high = max([*values, *(high for _, high in spans)])
    margin = 0.09 * (high - low) or 0.05 * abs(high) or 0.05
    axes.set_ylim(low - margin, high + margin)


def draw_levels(axes: Axes, rows: Sequence[Row], named: bool) -> None:
    """Draw references as dotted lines and chance as a dashed one; ``named`` at their right end, once limits are set."""
    for row in rows:
        line: Any = style.CHANCE if row["kind"] == "chance" else style.DOTTED
        axes.axhline(row["value"], linestyle=line, linewidth=1.1, color="#444444", gid=row["method"], zorder=1.5)
    if named:
        _name(axes, [(row["value"], row["title"].lower()) for row in rows])


def _name(axes: Axes, levels: list[tuple[float, str]]) -> None:
    """Write names at the right end of their lines, in one text where lines nearly meet."""
    axes.get_ylim()  # settles the limits, where they are automatic
    to_share = axes.transScale + axes.transLimits
    groups: list[list[tuple[float, str]]] = []
    for height, title in sorted((to_share.transform((1.0, value))[1], title) for value, title in levels):
        if groups and height - groups[-1][-1][0] < NEAR:
            groups[-1].append((height, title))
        else:
            groups.append([(height, title)])
    for group in groups:
        axes.annotate(
            ",\n".join(title for _, title in group[::-1]),
            (1, sum(height for height, _ in group) / len(group)),
            (3, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            color="#444444",
            va="center",
        )


def draw_points(axes: Axes, rows: Sequence[Row], xs: Sequence[float], run: Run, limit: tuple[float, float]) -> None:
    """Draw means with their intervals, joined by a line, and each seed as a small mark where there are several.

    Args:
        rows: of one method, kinds ``seed``, ``mean`` and ``start`` (a mean that no seed stands for).
        xs: place of each row.
    """
    look = style.look(run)
    placed = list(zip(xs, rows, strict=True))
    means = [(x, row) for x, row in placed if row["kind"] != "seed"]
    seeds = [(x, row) for x, row in placed if row["kind"] == "seed"]
    for x, row in means:
        if span := interval(row, limit):
            axes.vlines(x, *span, color=look.colour, linewidth=5, alpha=0.25, zorder=2.5)
    if any(row["kind"] == "mean" and row["n"] > 1 for _, row in means):
        small = look.points() | {"markersize": 3.0, "markeredgecolor": "none", "linestyle": "none"}
        axes.plot([x for x, _ in seeds], [r["value"] for _, r in seeds], zorder=3, gid=f"{run.method} seeds", **small)
    axes.plot(
        [x for x, _ in means],
        [row["value"] for _, row in means],
        linestyle=look.line,
        gid=f"{run.method} mean",
        zorder=4,
        **look.points(),
    )
