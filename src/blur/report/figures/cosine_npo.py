"""Cosine of the forget and the retain gradient while NPO runs at lambda = 1 (paper, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import MethodName, NonNegative
from blur.report import curves, style
from blur.report.figures.base import FigureBase, Row
from blur.report.runs import Run
from blur.report.summary import summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


def chosen(runs: Sequence[Run], method: str, lam: float) -> list[Run]:
    """Return the runs of ``method`` at lambda = ``lam`` that logged both gradients; one variant, the default first."""
    own = [run for run in runs if run.method == method and run.combine.get("lam") == lam and curves.logged(run)]
    variant = min((run.variant != "default", run.variant) for run in own)[1] if own else None
    return [run for run in own if run.variant == variant]


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    method: MethodName = Field(description="a weighted method whose gradients were logged")
    lam: NonNegative = Field(description="weight of the retain loss, looked up in the settings")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return the logged cosine of every seed and step, and its mean over seeds; steps without one are left out."""
        return curves.rows(chosen(runs, self.method, self.lam), ("cosine",))

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``; the share of negative steps is written below."""
        if not rows:
            return style.empty(
                title, "gradients under NPO", f"no run of {self.method} at λ = {self.lam:g} logged its gradients"
            )
        run = chosen(runs, self.method, self.lam)[0]
        figure = style.figure(f"{title}: forget and retain gradients under {run.title}, λ = {self.lam:g}", 6.6, 3.6)
        axes = figure.subplots()
        curves.plot(axes, rows, "cosine", style.look(run).colour)
        axes.set(xlabel="Step", ylabel="Cosine of the two gradients")
        axes.legend(loc="best")
        style.note(figure, _negative(rows))
        return figure


def _negative(rows: list[dict[str, Any]]) -> str:
    shares = list(curves.negative_shares(rows).values())
    total = summarise(shares)
    text = f"Negative (the two losses conflict) at {total.mean:.0%} of the steps"
    return text + (f"; by seed {', '.join(f'{share:.0%}' for share in shares)}." if len(shares) > 1 else "; one seed.")
