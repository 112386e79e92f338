"""Forgetting against utility: a GradDiff sweep over lambda as a line, every other method as a point (paper, Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blur.report import labels, style
from blur.report.runs import Run, by_method, of_default, swept
from blur.report.summary import summarise
from blur.report.sweeps import sweep

Row = dict[str, Any]


def data(
    runs: Sequence[Run], forget: str = "forget_rouge", utility: str = "model_utility", line: str = "graddiff"
) -> list[Row]:
    """Return one row per point: mean and interval over the seeds in which both metrics are defined.

    Args:
        forget: metric of the vertical axis, lower is better.
        utility: metric of the horizontal axis, higher is better.
        line: method whose sweep over lambda is drawn as a line.
    """
    parts = {
        "reference": [run for run in runs if run.is_reference],
        "sweep": sweep(runs, line),
        "method": [run for run in of_default(runs) if run.method != line],
    }
    groups = [(kind, group) for kind, part in parts.items() for group in by_method(part).values()]
    groups.sort(key=lambda pair: (list(parts).index(pair[0]), swept(pair[1][0]) if pair[0] == "sweep" else 0.0))
    rows = [_row(kind, group, forget, utility) for kind, group in groups]
    return [row for row in rows if row["n"]]


def _row(kind: str, group: list[Run], forget: str, utility: str) -> Row:
    both = [run for run in group if run.value(forget) is not None and run.value(utility) is not None]
    across, up = summarise(run.value(utility) for run in both), summarise(run.value(forget) for run in both)
    first = group[0]
    return {
        "kind": kind,
        "method": first.method,
        "title": first.title,
        "variant": first.variant,
        "lambda": swept(first) if kind == "sweep" else None,
        "n": across.n,
        **across.columns(utility),
        **up.columns(forget),
    }


@style.styled
def draw(
    runs: Sequence[Run],
    task_title: str,
    forget: str = "forget_rouge",
    utility: str = "model_utility",
    line: str = "graddiff",
) -> Figure:
    """Draw the rows of ``data``."""
    rows = data(runs, forget, utility, line)
    if not rows:
        return style.empty(task_title, "trade-off", f"no run has both {forget} and {utility}")
    known = {run.method: run for run in reversed(runs)}
    figure = Figure(figsize=(7.4, 4.6), layout="constrained")
    figure.suptitle(f"{task_title}: forgetting against utility", fontweight="bold")
    axes = figure.subplots()
    axes.set(xlabel=f"{style.label(utility)} (higher is better →)", ylabel=f"{style.label(forget)} (← lower is better)")
    swept_rows = sorted((row for row in rows if row["kind"] == "sweep"), key=lambda row: row["lambda"])
    axes.plot(
        [row[utility] for row in swept_rows],
        [row[forget] for row in swept_rows],
        "-",
        zorder=2,
        color=style.look(known[line]).colour if line in known else None,
        linewidth=1.2,
    )
    ends = {key: style.bounds(key, [row[key] for row in rows]) for key in (forget, utility)}
    handles = [_point(axes, row, known[row["method"]], ends, place) for place, row in enumerate(rows)]
    axes.margins(0.08)
    entries = {entry.get_label(): entry for entry in handles}
    axes.legend(handles=list(entries.values()), loc="upper left", bbox_to_anchor=(1.02, 1), borderaxespad=0)
    cut = any(style.is_cut(rows, key, ends[key]) for key in ends)
    style.note(figure, style.seeds_note((row["n"] for row in rows if row["kind"] != "reference"), cut=cut))
    _labels(axes, swept_rows, rows, forget, utility)
    return figure


def _point(axes: Axes, row: Row, run: Run, ends: dict[str, tuple[float, float]], place: int) -> Any:
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


def _labels(axes: Axes, swept_rows: list[Row], rows: list[Row], forget: str, utility: str) -> None:
    others = [(row[utility], row[forget]) for row in rows if row["kind"] != "sweep"]
    texts = [f"λ = {row['lambda']:g}" if place == 0 else f"{row['lambda']:g}" for place, row in enumerate(swept_rows)]
    spots = [(row[utility], row[forget]) for row in swept_rows]
    labels.place(axes, [labels.Label(spot, text) for spot, text in zip(spots, texts, strict=True)], others)
