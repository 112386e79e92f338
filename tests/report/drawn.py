"""What a drawn figure shows: its lines by name, and its words; and a run made to be drawn."""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from blur.report.runs import Run

Results = dict[str, list[Run]]


def lines(figure: Figure, gid: str) -> list[tuple[list[float], list[float]]]:
    found = [line for axes in figure.axes for line in axes.lines if line.get_gid() == gid]
    return [([float(x) for x in line.get_xdata()], [float(y) for y in line.get_ydata()]) for line in found]


def texts(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def logged(runs: list[Run], steps: list[tuple[int, float, float]]) -> Run:
    """A BLUR run with a step for each (number, ||g_r|| / ||g_f||, cosine)."""
    run = replace(next(run for run in runs if (run.method, run.variant) == ("blur_npo", "default")))
    run.__dict__["steps"] = [
        {
            "step": n,
            "forget_norm": 2.0,
            "retain_norm": 2 * ratio,
            "cosine": c,
            "xi": 1 - ratio * c,
            "inner": 4 * ratio * c,
        }
        for n, ratio, c in steps
    ]
    return run
