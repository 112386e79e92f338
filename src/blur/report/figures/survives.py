"""What survives: the largest recovery of each arm of every attack, method by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blur.report import style
from blur.report.robustness import Recovery, Verdict, attack_titles, verdicts
from blur.report.runs import Run, names, rank

Row = dict[str, Any]


Sequenced = Mapping[str, Any] | None


def data(runs: Sequence[Run], forget: Sequence[str], utility: str, sequence: Sequenced = None) -> list[Row]:
    """Return a row per method and arm with its largest recovery, and one per method with its verdict.

    Args:
        forget: metrics that judge a model before any attack.
        utility: the metric that tells whether it is still of use.
        sequence: requests one after another (arguments of ``with_sequence``) that count like one more attack.
    """
    rows: list[Row] = []
    for verdict in _sorted(runs, forget, utility, sequence):
        whose = {
            "method": verdict.run.method,
            "variant": verdict.run.variant,
            "seed": verdict.run.seed,
            "title": verdict.run.name,
        }
        rows += [{**whose, "kind": "arm", **_cell(verdict, attack, arm)} for attack, arm in _arms([verdict])]
        told = {"before": verdict.before, "utility": verdict.utility, "robustness": verdict.robustness}
        rows.append({**whose, "kind": "verdict", **told, "reason": verdict.reason})
    return rows


def _sorted(runs: Sequence[Run], forget: Sequence[str], utility: str, sequence: Sequenced) -> list[Verdict]:
    return sorted(verdicts(runs, forget, utility, sequence), key=lambda verdict: rank(verdict.run))


def _arms(found: Sequence[Verdict]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.attack, one.arm) for verdict in found for one in verdict.recoveries))


def _cell(verdict: Verdict, attack: str, arm: str) -> Row:
    worst: Recovery | None = verdict.of(attack, arm)
    return {
        "attack": attack,
        "arm": arm,
        "value": worst.value if worst else None,
        "point": worst.point if worst else "",
    }


@style.styled
def draw(
    runs: Sequence[Run], task_title: str, forget: Sequence[str], utility: str, sequence: Sequenced = None
) -> Figure:
    """Draw the rows of ``data``: a line per method, a column per arm; the darker, the more came back."""
    rows, found = data(runs, forget, utility, sequence), _sorted(runs, forget, utility, sequence)
    arms = _arms(found)
    if not arms:
        return style.empty(task_title, "what survives", "no model was attacked")
    figure = Figure(figsize=(0.6 * len(arms) + 4.0, 0.46 * len(found) + 2.9), layout="constrained")
    figure.suptitle(f"{task_title}: what comes back", fontweight="bold")
    axes = figure.subplots()
    axes.grid(visible=False)
    image = _cells(axes, rows, arms, len(found))
    axes.set_yticks(range(len(found)), names([verdict.run for verdict in found]))
    columns = [*(arm.replace("_", " ") for _, arm in arms), "robustness"]
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_xlim(-0.5, len(arms) + 0.6)
    _heads(axes, arms, attack_titles(found))
    _earned(axes, found, len(arms))
    figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, label="Recovery")
    style.note(
        figure,
        "The largest recovery along each arm: 0 as the retrained model (for RTT as guessing), 1 as the target, after "
        "the same attack.\n×: these hardly differ, or the arm does not apply. Robustness: one minus the largest, over "
        "so many of the attacks;\n– where a model forgot too little or lost its use.",
    )
    return figure


def _cells(axes: Axes, rows: list[Row], arms: list[tuple[str, str]], height: int) -> Any:
    values: list[list[float]] = [[float("nan")] * len(arms) for _ in range(height)]
    methods = list(dict.fromkeys((row["method"], row["variant"], row["seed"]) for row in rows))
    for row in rows:
        if row["kind"] != "arm":
            continue
        x, y = arms.index((row["attack"], row["arm"])), methods.index((row["method"], row["variant"], row["seed"]))
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


def _earned(axes: Axes, found: Sequence[Verdict], width: int) -> None:
    """Write robustness, and over how many of the attacks it was taken."""
    kinds = len({attack for attack, _ in _arms(found)})
    for place, verdict in enumerate(found):
        text = "–" if verdict.robustness is None else f"{verdict.robustness:.2f}"
        text += f"\n{len({one.attack for one in verdict.recoveries if one.value is not None})} of {kinds}"
        axes.text(width, place, text, ha="center", va="center", fontsize=8, fontweight="bold", linespacing=0.95)
