"""BLUR's front over gamma against the weighted sum's front over lambda: same losses, same budget.

Under AdamW without clipping, BLUR at gamma is, but for the projection, the weighted sum at lambda = 1/gamma, and at
each step exactly the weighted sum at lambda_t = 1/xi_t. The third series therefore holds lambda at 1/mean(xi).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blur.report import labels, style, sweeps
from blur.report.front_rows import SYMBOLS, Pair, Row, data
from blur.report.runs import DEFAULT, Run
from blur.report.summary import Summary

__all__ = ["data", "draw"]

DASHES = ("-", "--", ":", "-.")
RELATION = (
    "Under AdamW without clipping, BLUR at γ is, but for the projection, the weighted sum at λ = 1/γ;\n"
    "at each step it is exactly the weighted sum at λₜ = 1/ξₜ. “Matched” holds λ at 1/mean(ξ) of the BLUR run."
)


@style.styled
def draw(
    runs: Sequence[Run],
    task_title: str,
    forget: str = "forget_probability",
    utility: str = "model_utility",
    pairs: Sequence[Pair] | None = None,
    levels: int = 5,
) -> Figure:
    """Draw the rows of ``data``: a row of panels per pair, the fronts on the left, their difference on the right."""
    rows = data(runs, forget, utility, pairs, levels)
    names = list(dict.fromkeys(row["pair"] for row in rows if row["kind"] == "seed"))
    if not names:
        return style.empty(task_title, "fronts", "no BLUR method and weighted method with equal losses were both swept")
    known = {run.method: run for run in reversed(runs)}
    figure = Figure(figsize=(9.0, 4.0 * len(names) + 0.8), layout="constrained")
    figure.suptitle(f"{task_title}: BLUR over γ against the weighted sum over λ", fontweight="bold")
    grid = figure.subplots(len(names), 2, squeeze=False, width_ratios=(1.35, 1))
    parts = {name: [row for row in rows if row["pair"] == name] for name in names}
    for (left, right), own in zip(grid, parts.values(), strict=True):
        _fronts(left, own, known, forget, utility)
        _differences(right, own, forget, utility)
    counts = [row["n"] for row in rows if row["kind"] == "mean"]
    small = "Small marks: each seed. " if max(counts) > 1 else ""
    style.note(figure, f"{small}{style.seeds_note(counts)} {_budget(runs, names)}\n{RELATION}")
    for left, own in zip(grid[:, 0], parts.values(), strict=True):
        _labels(left, own, known, forget, utility)
    return figure


def _fronts(axes: Axes, rows: list[Row], known: dict[str, Run], forget: str, utility: str) -> None:
    means = [row for row in rows if row["kind"] == "mean"]
    rates = sorted({row["lr"] for row in means if row["lr"] is not None})
    for series in SYMBOLS:
        for place, lr in enumerate(rates or [None]):
            line = [row for row in means if row["series"] == series and row["lr"] == lr]
            if not line:
                continue
            run = known[line[0]["method"]]
            name = _name(series, run) + (f", lr {lr:g}" if len(rates) > 1 else "")
            seeds = [row for row in rows if row["kind"] == "seed" and row["series"] == series and row["lr"] == lr]
            _line(axes, line, seeds, _marks(line[0], known) | {"linestyle": DASHES[place % 4]}, name, forget, utility)
    axes.set(xlabel=f"{style.label(utility)} (higher is better →)", ylabel=f"{style.label(forget)} (← lower is better)")
    axes.margins(0.1)
    axes.set_title(f"{_title(rows, known)}", loc="left", fontweight="bold")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, columnspacing=1.2)


def _labels(axes: Axes, rows: list[Row], known: dict[str, Run], forget: str, utility: str) -> None:
    means = [row for row in rows if row["kind"] == "mean"]
    seeds = [(row[utility], row[forget]) for row in rows if row["kind"] == "seed"]
    texts = [
        labels.Label(
            (row[utility], row[forget]), f"{row['parameter']} = {row['value']:.3g}", _marks(row, known)["color"]
        )
        for row in means
    ]
    lines = [[(r[utility], r[forget]) for r in means if r["series"] == series] for series in ("bilevel", "weighted")]
    specks = seeds if any(row["n"] > 1 for row in means) else []
    labels.place(axes, texts, specks=[*specks, *(spot for line in lines for spot in labels.along(line))])


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
    axes: Axes, line: list[Row], seeds: list[Row], marks: dict[str, Any], name: str, forget: str, utility: str
) -> None:
    series, thin = line[0]["series"], {"color": marks["color"], "linewidth": 0.7, "alpha": 0.35}
    if any(row["n"] > 1 for row in line):
        axes.plot(
            [row[utility] for row in seeds],
            [row[forget] for row in seeds],
            alpha=0.35,
            gid=f"{series} seeds",
            **(marks | {"markersize": 3.5, "markeredgecolor": "none", "linestyle": "none"}),
        )
    for row in (row for row in line if row["n"] > 1):
        axes.hlines(row[forget], row[f"{utility}_low"], row[f"{utility}_high"], **thin)
        axes.vlines(row[utility], row[f"{forget}_low"], row[f"{forget}_high"], **thin)
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
        axes.set_xlabel(style.label(utility) + "".join(lines), fontsize=8.5)
        axes.set_ylabel(f"{style.label(forget)}: BLUR − weighted\n(below zero: BLUR forgets more)")
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
    axes.set(xticks=[], yticks=[], xlabel="".join(lines))


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
        f"\nBLUR (γ = {row['gamma']:.3g}) minus matched (λ = {row['value']:.3g}):\n"
        f"forget {_signed(forget)}, utility {_signed(kept)}"
    )


def _signed(summary: Summary) -> str:
    text = f"{summary.mean:+.3f}"
    text += "" if summary.low is None else f" [{summary.low:+.3f}, {summary.high:+.3f}]"
    return text.replace("-", "−")


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
