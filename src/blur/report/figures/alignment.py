"""Alignment of the forget and the retain gradient against steps: inner product and cosine (paper, Fig. 2)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import MethodName
from blur.report import curves, style
from blur.report.figures.base import FigureBase, Row
from blur.report.runs import Run, first_of, of_default

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


TICKS = 3  # on each side of zero


def chosen(runs: Sequence[Run], methods: Sequence[str] | None) -> list[Run]:
    """Return the default runs, of ``methods`` if given, that logged both gradients."""
    return [run for run in of_default(runs) if (methods is None or run.method in methods) and curves.logged(run)]


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    methods: tuple[MethodName, ...] | None = Field(None, description="by default all that logged their gradients")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return inner product and cosine of every method, seed and step, and their means over seeds."""
        return curves.rows(chosen(runs, self.methods), ("inner", "cosine"))

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: a column per method, inner product above cosine."""
        if not rows:
            return style.empty(title, "alignment of gradients", "no run logged its gradients")
        known = first_of(chosen(runs, self.methods))
        names = list(dict.fromkeys(row["method"] for row in rows))
        across, blocks = style.layout(len(names))
        figure = style.figure(
            f"{title}: alignment of the forget and retain gradients", max(2.4 * across, 3.6) + 0.8, 3.9 * blocks + 0.5
        )
        grid = figure.subplots(2 * blocks, across, squeeze=False)
        limit = 1.05 * max(abs(row["cosine"]) for row in rows)
        for place in range(across * blocks):
            above, below = grid[2 * (place // across)][place % across], grid[2 * (place // across) + 1][place % across]
            if place >= len(names):
                above.set_axis_off()
                below.set_axis_off()
                continue
            own = [row for row in rows if row["method"] == names[place]]
            _column(above, below, own, known[names[place]], limit)
            if place % across == 0:
                above.set_ylabel("Inner product\n" + r"$\langle g_f, g_r \rangle$")
                below.set_ylabel("Cosine")
        _note(figure, rows)
        return figure


def _column(above: Axes, below: Axes, own: list[dict[str, Any]], run: Run, limit: float) -> None:
    colour = style.look(run).colour
    curves.plot(above, own, "inner", colour)
    curves.plot(below, own, "cosine", colour)
    # Inner products span decades as the forget gradient fades or explodes; the middle stays linear.
    middle = statistics.median(abs(row["inner"]) for row in own)
    largest = max(abs(row["inner"]) for row in own)
    if middle and largest / middle > 20:
        _symlog(above, middle, largest)
    above.set_title(run.title, fontweight="bold")
    above.tick_params(labelbottom=False)
    shares = curves.negative_shares(own).values()
    below.set(ylim=(-limit, limit), xlabel="Step")
    below.text(
        0.98,
        0.97,
        f"negative: {sum(shares) / len(shares):.0%} of steps",
        transform=below.transAxes,
        ha="right",
        va="top",
        fontsize=8,
    )


def _symlog(axes: Axes, middle: float, largest: float) -> None:
    """Make an axis linear up to the decade of ``middle`` and logarithmic beyond, with ticks at equal distances."""
    from matplotlib.ticker import NullLocator

    first, last = math.floor(math.log10(middle)), math.floor(math.log10(largest))
    stride = 1 + (last - first) // TICKS
    decades = [10.0**exponent for exponent in range(first, last + 1, stride)]
    # The linear part is as high as the step between two ticks: those next to zero keep the same distance.
    axes.set_yscale("symlog", linthresh=decades[0], linscale=0.9 * stride)
    view = axes.get_ylim()
    axes.set_yticks([*(-decade for decade in reversed(decades)), 0.0, *decades])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(view)


def _note(figure: Canvas, rows: list[dict[str, Any]]) -> None:
    seeds = {row["seed"] for row in rows if row["kind"] == "seed"}
    text = "Thin: each seed; thick: their mean." if len(seeds) > 1 else "One seed."
    style.note(figure, f"{text} Below zero a step that forgets also harms what is to be kept.")
