"""Cosine of the forget and the retain gradient while NPO runs at lambda = 1 (paper, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from blur.report import curves, style
from blur.report.runs import Run
from blur.report.summary import summarise


def chosen(runs: Sequence[Run], method: str, lam: float) -> list[Run]:
    """Return the runs of ``method`` at lambda = ``lam`` that logged both gradients; one variant, the default first."""
    own = [run for run in runs if run.method == method and run.combine.get("lam") == lam and curves.logged(run)]
    variant = min((run.variant != "default", run.variant) for run in own)[1] if own else None
    return [run for run in own if run.variant == variant]


def data(runs: Sequence[Run], method: str, lam: float) -> list[dict[str, Any]]:
    """Return the logged cosine of every seed and step, and its mean over seeds; steps without one are left out.

    Args:
        method: a weighted method whose gradients were logged.
        lam: the weight of the retain loss, looked up in the settings.
    """
    return curves.rows(chosen(runs, method, lam), ("cosine",))


@style.styled
def draw(runs: Sequence[Run], task_title: str, method: str, lam: float) -> Figure:
    """Draw the rows of ``data``; the share of negative steps is written below."""
    rows = data(runs, method, lam)
    if not rows:
        return style.empty(task_title, "gradients under NPO", f"no run of {method} at λ = {lam:g} logged its gradients")
    run = chosen(runs, method, lam)[0]
    figure = Figure(figsize=(6.6, 3.6), layout="constrained")
    figure.suptitle(f"{task_title}: forget and retain gradients under {run.title}, λ = {lam:g}", fontweight="bold")
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
