"""BLUR's front over gamma against the weighted sum's front over lambda: same losses, same budget.

Under AdamW without clipping, BLUR at gamma is, but for the projection, the weighted sum at lambda = 1/gamma, and at
each step exactly the weighted sum at lambda_t = 1/xi_t. The third series therefore holds lambda at 1/mean(xi).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import ColumnName, Count, MethodName
from blur.report import front_rows, labels, style, sweeps, wording
from blur.report.figures.base import FigureBase, Row
from blur.report.front_rows import SYMBOLS
from blur.report.runs import DEFAULT, Run, first_of
from blur.report.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


Ends = dict[str, tuple[float, float]]  # by metric, forget before utility: what it cannot pass
DASHES = ("-", "--", ":", "-.")
RELATION = (
    "Under AdamW without clipping, BLUR at γ is, but for the projection, the weighted sum at λ = 1/γ;\n"
    "at each step it is exactly the weighted sum at λₜ = 1/ξₜ."
)
MATCHED = " “Matched” holds λ at 1/mean(ξ) of the BLUR run."


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    forget: ColumnName = Field(description="metric of the vertical axis, lower is better")
    utility: ColumnName = Field(description="metric of the horizontal axis, higher is better")
    pairs: tuple[tuple[MethodName, MethodName], ...] | None = Field(
        None, description="BLUR method and weighted one; by default all with equal losses of which both were swept"
    )
    levels: Count = Field(5, description="utilities at which two fronts are compared")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return the rows of every pair: ``seed`` points, their ``mean`` over seeds, and the differences."""
        return front_rows.data(runs, self.forget, self.utility, self.pairs, self.levels)

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: a row of panels per pair, the fronts on the left, their difference beside."""
        names = list(dict.fromkeys(row["pair"] for row in rows if row["kind"] == "seed"))
        if not names:
            return style.empty(title, "fronts", "no BLUR method and weighted method with equal losses were both swept")
        known = first_of(runs)
        figure = style.figure(f"{title}: BLUR over γ against the weighted sum over λ", 9.0, 4.4 * len(names) + 0.8)
        grid = figure.subplots(len(names), 2, squeeze=False, width_ratios=(1.25, 1))
        ends = {
            key: style.bounds(key, [row[key] for row in rows if row["kind"] == "seed"])
            for key in (self.forget, self.utility)
        }
        parts = {name: [row for row in rows if row["pair"] == name] for name in names}
        for (left, right), own in zip(grid, parts.values(), strict=True):
            _fronts(left, own, known, ends)
            _differences(right, own, self.forget, self.utility)
        counts = [row["n"] for row in rows if row["kind"] == "mean"]
        small = "Small marks: each seed. " if max(counts) > 1 else ""
        drawn = [row for own in parts.values() for row in _drawn(own, ends)]
        cut = any(style.is_cut(drawn, key, ends[key]) for key in ends)
        matched = MATCHED if any(row["series"] == "matched" for row in drawn) else ""
        style.note(figure, f"{small}{style.seeds_note(counts, cut=cut)} {_budget(runs, names)}\n{RELATION}{matched}")
        for left, own in zip(grid[:, 0], parts.values(), strict=True):
            _labels(left, own, known, ends)
        return figure


def _fronts(axes: Axes, rows: list[Row], known: dict[str, Run], ends: Ends) -> None:
    forget, utility = ends
    means = [row for row in rows if row["kind"] == "mean"]
    limits = {key: _limits(rows, key, ends[key]) for key in ends}
    rates = sorted({row["lr"] for row in means if row["lr"] is not None})
    for series in SYMBOLS:
        for place, lr in enumerate(rates or [None]):
            line = [row for row in means if row["series"] == series and row["lr"] == lr]
            if not line:
                continue
            run = known[line[0]["method"]]
            name = _name(series, run) + (f", lr {lr:g}" if len(rates) > 1 else "")
            seeds = [row for row in rows if row["kind"] == "seed" and row["series"] == series and row["lr"] == lr]
            inside = [row for row in line if _inside(row, limits)]
            drawn = {row["variant"] for row in inside}
            name += "".join(_outside(row, forget, utility) for row in line if row["variant"] not in drawn)
            seeds = [row for row in seeds if row["variant"] in drawn]
            if lost := sum(not _inside(row, limits) for row in seeds):
                name += f"\n{lost} of {len(seeds)} seeds outside"
            marks = _marks(line[0], known) | {"linestyle": DASHES[place % 4]}
            _line(axes, inside, seeds, marks, series, name, ends)
    axes.set(
        xlabel=f"{wording.label(utility)} (higher is better →)", ylabel=f"{wording.label(forget)} (← lower is better)"
    )
    axes.set(xlim=limits[utility], ylim=limits[forget])
    axes.locator_params(axis="x", nbins=6)
    axes.set_title(f"{_title(rows, known)}", loc="left", fontweight="bold")
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.155), borderaxespad=0)


def _limits(rows: list[Row], key: str, ends: tuple[float, float]) -> tuple[float, float]:
    """Return what the two fronts need, intervals and margin included.

    A matched point has no say: it may lie far away, and would press the fronts into a corner.
    """
    points = [row for row in rows if row["kind"] in ("seed", "mean")]
    own = [row for row in points if row["series"] != "matched"] or points
    spans = [style.cut(row[f"{key}_low"], row[f"{key}_high"], ends) for row in own if row.get(f"{key}_low") is not None]
    values = [*(row[key] for row in own), *(end for span in spans for end in span)]
    low, high = min(values), max(values)
    margin = 0.1 * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin


def _drawn(rows: list[Row], ends: Ends) -> list[Row]:
    """Return the means of one pair that lie within its panel."""
    limits = {key: _limits(rows, key, ends[key]) for key in ends}
    return [row for row in rows if row["kind"] == "mean" and _inside(row, limits)]


def _inside(row: Row, limits: Mapping[str, tuple[float, float]]) -> bool:
    return all(low <= row[key] <= high for key, (low, high) in limits.items())


def _outside(row: Row, forget: str, utility: str) -> str:
    return (
        f"\noutside: {row['parameter']} = {row['value']:.3g} at {wording.in_sentence(utility)} {row[utility]:.3f}, "
        f"{wording.in_sentence(forget)} {row[forget]:.3f}"
    )


def _labels(axes: Axes, rows: list[Row], known: dict[str, Run], ends: Ends) -> None:
    forget, utility = ends
    means = _drawn(rows, ends)
    drawn = {(row["series"], row["variant"]) for row in means}
    seeds = [
        (row[utility], row[forget])
        for row in rows
        if row["kind"] == "seed" and (row["series"], row["variant"]) in drawn
    ]
    texts = [
        labels.Label(
            (row[utility], row[forget]), f"{row['parameter']} = {row['value']:.3g}", _marks(row, known)["color"]
        )
        for row in means
    ]
    fronts = [[(r[utility], r[forget]) for r in means if r["series"] == series] for series in ("bilevel", "weighted")]
    lines = [*fronts, *(bar for row in means for bar in style.bars(row, ends))]
    specks = seeds if any(row["n"] > 1 for row in means) else []
    labels.place(axes, texts, specks=[*specks, *(spot for line in lines for spot in labels.along(line, 12))])


def _marks(row: Row, known: dict[str, Run]) -> dict[str, Any]:
    marks: dict[str, Any] = style.look(known[row["method"]]).points()
    if row["series"] == "matched":
        marks |= {"color": style.PURPLE, "markerfacecolor": style.PURPLE, "marker": "D"}
    return marks


def _name(series: str, run: Run) -> str:
    return {
        "bilevel": f"{run.title}, γ swept",
        "weighted": f"{run.title}, λ swept",
        "matched": f"{run.title}, λ = 1/mean(ξ)",
    }[series]


def _title(rows: list[Row], known: dict[str, Run]) -> str:
    return " against ".join(known[method].title for method in rows[0]["pair"].split("/"))


def _line(
    axes: Axes, line: list[Row], seeds: list[Row], marks: dict[str, Any], series: str, name: str, ends: Ends
) -> None:
    forget, utility = ends
    thin = {"color": marks["color"], "linewidth": 1.2, "alpha": 0.5}
    if any(row["n"] > 1 for row in line):
        axes.plot(
            [row[utility] for row in seeds],
            [row[forget] for row in seeds],
            alpha=0.35,
            gid=f"{series} seeds",
            **(marks | {"markersize": 3.5, "markeredgecolor": "none", "linestyle": "none"}),
        )
    for row in (row for row in line if row["n"] > 1):
        for (x0, y0), (x1, y1) in style.bars(row, ends):
            axes.plot([x0, x1], [y0, y1], **thin)
    axes.plot(
        [row[utility] for row in line],
        [row[forget] for row in line],
        label=name,
        gid=f"{series} mean",
        zorder=4,
        **(marks | {"markersize": 7.5, **({"linestyle": "none"} if series == "matched" else {})}),
    )


def _differences(axes: Axes, rows: list[Row], forget: str, utility: str) -> None:
    axes.set_title("At matched utility", loc="left", fontweight="bold")
    levels = [row for row in rows if row["kind"] == "difference"]
    lines = [_sentence(row) for row in rows if row["kind"] == "matched"]
    if levels:
        axes.axhline(0, color="black", linewidth=0.9)
        for row in (row for row in levels if row["difference_low"] is not None):
            axes.vlines(row[utility], row["difference_low"], row["difference_high"], color="#333333", linewidth=1.0)
        axes.plot(
            [row[utility] for row in levels],
            [row["difference"] for row in levels],
            "o-",
            color="#333333",
            gid="difference",
        )
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel(wording.label(utility))
        _below(axes, lines)
        axes.set_ylabel(f"{wording.label(forget)}: BLUR − weighted\n(below zero: BLUR forgets more)")
        return
    ends = next(row for row in rows if row["kind"] == "not comparable")
    spans = "\n".join(_span(ends, series) for series in ("bilevel", "weighted"))
    axes.text(
        0.5,
        0.6,
        f"Not comparable:\nthe fronts share no utility\n{spans}",
        ha="center",
        va="center",
        transform=axes.transAxes,
    )
    axes.set(xticks=[], yticks=[])
    _below(axes, lines)


def _below(axes: Axes, lines: list[str]) -> None:
    """Write lines below an axis and its label, level with the legend of the panel beside."""
    spot = (0, -0.155)
    axes.annotate("\n".join(lines), spot, xycoords="axes fraction", fontsize=8, va="top", linespacing=1.35)


def _span(ends: Row, series: str) -> str:
    name = "BLUR" if series == "bilevel" else "weighted"
    low, high = ends[f"{series}_from"], ends[f"{series}_to"]
    if low is None or high is None or low > high:
        return f"{name}: none common to all seeds"
    return f"{name}: {low:.3f} to {high:.3f}"


def _sentence(row: Row) -> str:
    forget = Summary(row["difference"], row["difference_low"], row["difference_high"], row["n"])
    kept = Summary(row["utility_difference"], row["utility_difference_low"], row["utility_difference_high"], row["n"])
    return (
        f"BLUR (γ = {row['gamma']:.3g}) minus matched (λ = {row['value']:.3g}):\n"
        f"forget {wording.signed(forget)},\nutility {wording.signed(kept)}"
    )


def _budget(runs: Sequence[Run], names: list[str]) -> str:
    """Name the settings, besides the combination, in which a pair differs; a fair comparison has none."""
    first = {(run.method, run.seed): run for run in runs if run.variant == DEFAULT}
    found: set[str] = set()
    for name in names:
        up, down = name.split("/")
        common = sorted({s for m, s in first if m == up} & {s for m, s in first if m == down})
        for seed in common[:1]:
            found |= sweeps.differences(first[up, seed], first[down, seed])
    other = sorted(key for key in found if not key.startswith("combine"))
    return f"The pair differs also in: {', '.join(other)}." if other else "Same losses, data, steps and optimizer."
