"""What survives: the largest recovery of each arm of every attack, method by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import ColumnName
from blur.report import style
from blur.report.figures.base import FigureBase, Metrics, Row
from blur.report.robustness import Recovery, Verdict, verdicts
from blur.report.runs import Run, names, rank
from blur.report.sequence import NAME
from blur.report.settings import RequestSequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


Whose = tuple[str, str, int]  # method, variant, seed


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    forget: Metrics = Field(description="judge a model before any attack")
    utility: ColumnName = Field(description="tells whether it is still of use")
    sequence: RequestSequence | None = Field(
        None, description="requests one after another that count like one more attack"
    )

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return a row per method and arm with its largest recovery, and one per method with its verdict."""
        rows: list[Row] = []
        sequence = self.sequence.model_dump() if self.sequence else None
        found = verdicts(runs, self.forget, self.utility, sequence)
        for verdict in sorted(found, key=lambda verdict: rank(verdict.run)):
            whose = {
                "method": verdict.run.method,
                "variant": verdict.run.variant,
                "seed": verdict.run.seed,
                "title": verdict.run.name,
            }
            arms = dict.fromkeys((one.attack, one.arm) for one in verdict.recoveries)
            rows += [{**whose, "kind": "arm", **_cell(verdict, attack, arm)} for attack, arm in arms]
            told = {"before": verdict.before, "utility": verdict.utility, "robustness": verdict.robustness}
            rows.append({**whose, "kind": "verdict", **told, "reason": verdict.reason})
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: a line per method, a column per arm; the darker, the more came back."""
        cells = [row for row in rows if row["kind"] == "arm"]
        found = {_whose(row): row for row in rows if row["kind"] == "verdict"}
        arms = list(dict.fromkeys((row["attack"], row["arm"]) for row in cells))
        if not arms:
            return style.empty(title, "what survives", "no model was attacked")
        figure = style.figure(f"{title}: what comes back", 0.6 * len(arms) + 4.0, 0.46 * len(found) + 2.9)
        axes = figure.subplots()
        axes.grid(visible=False)
        image = _cells(axes, cells, arms, list(found))
        known = {(run.method, run.variant, run.seed): run for run in runs}
        axes.set_yticks(range(len(found)), names([known[whose] for whose in found]))
        columns = [*(arm.replace("_", " ") for _, arm in arms), "robustness"]
        axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
        axes.set_xlim(-0.5, len(arms) + 0.6)
        titles = {name: told["title"] for run in runs for name, told in run.attacks.items()}
        _heads(axes, arms, titles | ({NAME: self.sequence.title} if self.sequence else {}))
        _earned(axes, cells, found, arms)
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, label="Recovery")
        style.note(
            figure,
            "The largest recovery along each arm: 0 as the retrained model (for RTT as guessing), 1 as the target, "
            "after the same attack.\n×: these hardly differ, or the arm does not apply. Robustness: one minus the "
            "largest, over so many of the attacks;\n– where a model forgot too little or lost its use.",
        )
        return figure


def _whose(row: Row) -> Whose:
    return row["method"], row["variant"], row["seed"]


def _cell(verdict: Verdict, attack: str, arm: str) -> Row:
    worst: Recovery | None = verdict.of(attack, arm)
    return {
        "attack": attack,
        "arm": arm,
        "value": worst.value if worst else None,
        "point": worst.point if worst else "",
    }


def _cells(axes: Axes, rows: list[Row], arms: list[tuple[str, str]], lines: list[Whose]) -> Any:
    values: list[list[float]] = [[float("nan")] * len(arms) for _ in lines]
    for row in rows:
        x, y = arms.index((row["attack"], row["arm"])), lines.index(_whose(row))
        value = row["value"]
        if value is not None:
            values[y][x] = value
        text, colour = ("×", style.GREY) if value is None else (f"{value:.2f}", "white" if value > 0.55 else "black")
        axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour)
    return axes.imshow(values, vmin=0, vmax=1, cmap="OrRd", aspect="auto")


def _heads(axes: Axes, arms: list[tuple[str, str]], titles: Mapping[str, str]) -> None:
    """Write each attack's title over its columns, with a line between attacks."""
    attacks = [attack for attack, _ in arms]
    for attack in dict.fromkeys(attacks):
        first, number = attacks.index(attack), attacks.count(attack)
        axes.annotate(
            titles[attack],
            (first + (number - 1) / 2, 1),
            (0, 6),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center" if number > 1 else "left",
            fontsize=9,
            fontweight="bold",
            rotation=0 if number > 1 else 25,
        )
        if first:
            axes.axvline(first - 0.5, color="white", linewidth=4)


def _earned(axes: Axes, cells: list[Row], found: Mapping[Whose, Row], arms: list[tuple[str, str]]) -> None:
    """Write robustness, and over how many of the attacks it was taken."""
    kinds = len({attack for attack, _ in arms})
    for place, (whose, verdict) in enumerate(found.items()):
        text = "–" if verdict["robustness"] is None else f"{verdict['robustness']:.2f}"
        informative = {row["attack"] for row in cells if _whose(row) == whose and row["value"] is not None}
        text += f"\n{len(informative)} of {kinds}"
        axes.text(len(arms), place, text, ha="center", va="center", fontsize=8, fontweight="bold", linespacing=0.95)
