"""Whether the steps that were taken let the forget loss fall, as BLUR's update promises, and xi / gamma.

A step keeps the promise where <g_f, theta_t - theta_t+1> > 0, measured on the weights (``kept`` of a step's record).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles
from typing import TYPE_CHECKING

from blur.report import style
from blur.report.figures.base import FigureBase, Row
from blur.report.runs import DEFAULT, Run, by_method, finite
from blur.report.summary import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


class Figure(FigureBase):
    """The figure's rows and drawing."""

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, by method and variant, each seed's share of steps that keep the promise and quartiles of xi / gamma.

        A row of their means over seeds follows. Steps at which g_f was not made apart, and runs of such steps, are left
        out; xi is not defined under the weighted sum.
        """
        rows: list[Row] = []
        for (method, variant), group in by_method(run for run in runs if not run.is_reference).items():
            named = {"method": method, "title": group[0].title, "variant": variant}
            own = [{"kind": "seed", **named, "seed": run.seed, **found} for run in group if (found := _of(run))]
            if own:
                share = summarise(row["share"] for row in own)
                middle = summarise(row["xi_over_gamma"] for row in own)
                kept = {**share.columns("share"), "xi_over_gamma": middle.mean}
                rows += [*own, {"kind": "mean", **named, "n": share.n, **kept}]
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: a line for each run, the share on the left, xi / gamma on the right."""
        if not rows:
            return style.empty(title, "the promise", "no run logged its steps along the forget gradient")
        groups = by_method(run for run in runs if not run.is_reference)
        drawn = {key: group[0] for key, group in groups.items() if any(_is(row, key) for row in rows)}
        heading = f"{title}: do steps forget, as the update promises?"
        figure = style.figure(heading, 7.4, 1.3 + 0.32 * len(drawn))
        left, right = figure.subplots(1, 2, sharey=True)
        for place, (key, run) in enumerate(drawn.items()):
            own = [row for row in rows if _is(row, key)]
            _line(left, right, place, own, run)
        left.set_yticks(range(len(drawn)), [_name(run) for run in drawn.values()])
        left.set(xlim=(-0.02, 1.02), ylim=(len(drawn) - 0.5, -0.5), xlabel="Share of steps that keep the promise")
        right.set(xlabel=r"$\xi / \gamma$")
        right.axvline(1, color="black", linewidth=0.9)
        _scale(right)
        style.note(
            figure,
            r"Left: steps with $\langle g_f, \theta_t - \theta_{t+1} \rangle > 0$; small marks: each seed. Right: "
            r"median and quartiles over steps of each seed; 1 where the gradients are at right angles, none under a "
            "weighted sum.",
        )
        return figure


def _of(run: Run) -> Row:
    kept = [value for step in run.steps if (value := finite(step.get("kept"))) is not None]
    ratios = [value for step in run.steps if (value := finite(step.get("xi_over_gamma"))) is not None]
    if not kept:
        return {}
    quartiles = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else [None, None, None]
    return {
        "steps": len(kept),
        "share": sum(value > 0 for value in kept) / len(kept),
        "xi_over_gamma": median(ratios) if ratios else None,
        "xi_over_gamma_low": quartiles[0],
        "xi_over_gamma_high": quartiles[2],
    }


def _scale(axes: Axes) -> None:
    """Make an axis logarithmic beyond 1, with ticks that a person reads: 1, 2, 5, 10 ... of either sign."""
    axes.set_xscale("symlog", linthresh=1)
    low, high = axes.get_xlim()
    beyond = [digit * 10.0**power for power in range(5) for digit in (1, 2, 5)]
    ticks = [tick for tick in (*(-one for one in reversed(beyond)), 0.0, *beyond) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)


def _is(row: Row, key: tuple[str, str]) -> bool:
    return (row["method"], row["variant"]) == key


def _name(run: Run) -> str:
    return run.title if run.variant == DEFAULT else f"{run.title}, {run.variant.replace('_', ' ')}"


def _line(left: Axes, right: Axes, place: int, own: list[Row], run: Run) -> None:
    look = style.look(run)
    face = "white" if look.hollow else look.colour
    for row in own:
        if row["kind"] == "mean":
            left.plot(row["share"], place, look.marker, color=look.colour, markerfacecolor=face, gid="mean", zorder=3)
            continue
        left.plot(row["share"], place, ".", color=look.colour, markersize=3, gid=f"seed{row['seed']}")
        if row["xi_over_gamma"] is not None:
            right.plot(row["xi_over_gamma"], place, look.marker, color=look.colour, markerfacecolor=face, zorder=3)
        if row["xi_over_gamma_low"] is not None:
            ends = [row["xi_over_gamma_low"], row["xi_over_gamma_high"]]
            right.plot(ends, [place, place], "-", color=look.colour, linewidth=1)
