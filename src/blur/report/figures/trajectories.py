"""Forget and retain metric against epochs for every method, a column per forget loss (paper, Fig. C.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blur.report import style
from blur.report.runs import Run, by_method, finite, of_default
from blur.report.summary import summarise

Row = dict[str, Any]


def data(runs: Sequence[Run], forget: str = "forget_probability", retain: str = "retain_probability") -> list[Row]:
    """Return, per method and epoch, mean and interval of both metrics; then the references' levels.

    Args:
        forget: key of trajectory.json drawn above.
        retain: key of trajectory.json drawn below.
    """
    rows = [row for group in by_method(of_default(runs)).values() for row in _epochs(group, forget, retain)]
    references = by_method(run for run in runs if run.is_reference and run.method != "base").values()
    return rows + [row for group in references if (row := _level(group, forget, retain))]


def _epochs(group: list[Run], forget: str, retain: str) -> list[Row]:
    epochs: dict[float, list[dict[str, Any]]] = {}
    for run in group:
        for record in run.trajectory:
            epochs.setdefault(record["epoch"], []).append(record)
    rows = []
    for epoch, records in sorted(epochs.items()):
        up, down = (summarise(finite(record.get(key)) for record in records) for key in (forget, retain))
        if up.n or down.n:
            rows.append(_row("method", group[0], epoch, max(up.n, down.n), up.columns(forget) | down.columns(retain)))
    return rows


def _level(group: list[Run], forget: str, retain: str) -> Row | None:
    up, down = (summarise(run.value(key) for run in group) for key in (forget, retain))
    if not up.n and not down.n:
        return None
    return _row("reference", group[0], None, max(up.n, down.n), up.columns(forget) | down.columns(retain))


def _row(kind: str, run: Run, epoch: float | None, n: int, values: Row) -> Row:
    named = {"method": run.method, "title": run.title, "family": run.family, "variant": run.variant}
    return {"kind": kind, **named, "epoch": epoch, "n": n, **values}


@style.styled
def draw(
    runs: Sequence[Run], task_title: str, forget: str = "forget_probability", retain: str = "retain_probability"
) -> Figure:
    """Draw the rows of ``data``."""
    rows = data(runs, forget, retain)
    methods = [row for row in rows if row["kind"] == "method"]
    if not methods:
        return style.empty(task_title, "trajectories", "no run kept metrics at its epochs' ends")
    known = {run.method: run for run in reversed(runs)}
    families = list(dict.fromkeys(row["family"] for row in methods))
    across, blocks = style.layout(len(families))
    figure = Figure(figsize=(max(2.55 * across, 4.2) + 0.6, 5.0 * blocks + 0.4), layout="constrained")
    figure.suptitle(f"{task_title}: forgetting and keeping, epoch by epoch", fontweight="bold")
    grid = figure.subplots(2 * blocks, across, squeeze=False, sharex=True, sharey="row")
    for axes in grid.flat:
        axes.set_visible(False)
    for place, family in enumerate(families):
        pair = [grid[2 * (place // across) + half][place % across] for half in (0, 1)]
        own = [row for row in rows if row["family"] == family or row["kind"] == "reference"]
        _column(pair, own, known, (forget, retain), place % across == 0, place in (across - 1, len(families) - 1))
        pair[0].set_title(style.loss_title(family), fontweight="bold")
    references = [row["title"].lower() for row in rows if row["kind"] == "reference"]
    levels = f" Dotted: {' and '.join(references)} model." if references else ""
    cut = any(style.is_cut(methods, key, style.bounds(key, [row[key] for row in methods])) for key in (forget, retain))
    style.note(figure, style.seeds_note((row["n"] for row in methods), "bands", cut) + levels)
    return figure


def _column(
    pair: list[Axes], own: list[Row], known: dict[str, Run], keys: tuple[str, str], first: bool, last: bool
) -> None:
    methods = list(dict.fromkeys(row["method"] for row in own if row["kind"] == "method"))
    for axes, key, better in zip(pair, keys, ("lower", "higher"), strict=True):
        axes.set_visible(True)
        axes.tick_params(labelbottom=axes is pair[1])
        for row in (row for row in own if row["kind"] == "reference" and row[key] is not None):
            axes.axhline(row[key], linestyle=(0, (1, 1.5)), linewidth=1.1, color="#444444", gid=row["method"])
        if last:
            _name_levels(axes, [row for row in own if row["kind"] == "reference" and row[key] is not None], key)
        ends = style.bounds(key, [row[key] for row in own])
        for place, method in enumerate(methods):
            line = [row for row in own if row["method"] == method and row[key] is not None]
            _line(axes, line, key, known[method], ends, len(methods) - 1 - place)
        _limits(axes, [row[key] for row in own if row[key] is not None])
        if first:
            axes.set_ylabel(f"{style.label(key)}\n({better} is better)")
    pair[1].set_xlabel("Epoch")
    pair[1].legend(
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


def _limits(axes: Axes, values: list[float]) -> None:
    """Show where the means are: the band of a few seeds may be wider than a probability can be."""
    if values and min(values) >= 0 and max(values) <= 1:
        axes.set_ylim(-0.03, 1.03)
    elif values:
        margin = 0.1 * (max(values) - min(values)) or 1.0
        axes.set_ylim(min(values) - margin, max(values) + margin)


def _name_levels(axes: Axes, levels: list[Row], key: str) -> None:
    """Write the references' names at the right end of their lines, in one text where the lines nearly meet."""
    texts: list[tuple[float, str]] = []
    for row in sorted(levels, key=lambda row: row[key]):
        if texts and row[key] - texts[-1][0] < 0.07:
            texts[-1] = (texts[-1][0], f"{texts[-1][1]},\n{row['title'].lower()}")
        else:
            texts.append((row[key], row["title"].lower()))
    for height, text in texts:
        axes.annotate(
            text,
            (1, height),
            (3, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=8,
            color="#444444",
            va="center",
        )
