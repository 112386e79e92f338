"""What rounding brings back: the judges' mean in full precision and quantized, and how many codes are the target's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from blur.core.settings import AttackName, ColumnName
from blur.report import style
from blur.report.figures.base import FigureBase, Metrics, Row
from blur.report.recovery import COVERED
from blur.report.robustness import judged
from blur.report.runs import Run, first_attacked, points_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


FULL = "full precision"


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    attack: AttackName = Field(description="the attack that quantizes")
    forget: Metrics = Field(description="their mean tells what is left of the forget set")
    utility: ColumnName = Field(description="tells whether the model is still of use")

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return a row per run and scheme (full precision first): judges' mean, utility, codes like the target's."""
        rows: list[Row] = []
        for run in first_attacked(runs, self.attack):
            whose = {"method": run.method, "variant": run.variant, "title": run.title}
            rows.append(
                {**whose, "scheme": FULL, "forget": judged(run, self.forget), "utility": run.value(self.utility)}
            )
            for point in points_of(run.attacks[self.attack]).values():
                metrics, told = point.get("metrics", {}), point.get("judged", {})
                rates = {key: point.get(key) for key in ("covered", "collision_rate", "reason")}
                measured = {"forget": told.get("all"), "utility": metrics.get(self.utility)}
                rows.append({**whose, "scheme": point["arm"], **measured, **rates})
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``: what is left, what use remains, and the codes."""
        found = first_attacked(runs, self.attack)
        measured = [row for row in rows if row["forget"] is not None]
        schemes = list(dict.fromkeys(row["scheme"] for row in measured))
        if len(schemes) < 2:
            return style.empty(title, "quantization", "no model was quantized")
        figure = style.figure(f"{title}: quantization", 12.5, 0.36 * len(found) + 2.6)
        grid = figure.subplots(1, 3, sharey=True)
        for axes, (key, label) in zip(grid, PANELS.items(), strict=True):
            _panel(axes, measured, key, schemes, found)
            axes.set_xlabel(label)
        grid[0].set_yticks(range(len(found)), [run.name for run in found])
        grid[0].invert_yaxis()
        grid[2].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
        absent = sorted(
            {f"{row['scheme']}: {row['reason']}" for row in rows if row["forget"] is None and row.get("reason")}
        )
        partial = {row["scheme"]: row["covered"] for row in measured if (row.get("covered") or 1) < COVERED}
        absent += [f"{scheme}: reaches {share:.0%} of the weights" for scheme, share in partial.items()]
        style.note(
            figure,
            "\n".join([f"Judges: {', '.join(self.forget)}; utility: {self.utility}. One seed: no intervals.", *absent]),
        )
        return figure


PANELS = {
    "forget": "Left of the forget set (lower is better)",
    "utility": "Utility (higher is better)",
    "collision_rate": "Codes that equal the target's",
}
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">")
COLOURS = (
    style.BLACK,
    style.SKY,
    style.ORANGE,
    style.RED,
    style.GREEN,
    style.PURPLE,
    style.BLUE,
    style.GREY,
    "#8C6D31",
)


def _panel(axes: Axes, rows: list[Row], key: str, schemes: list[str], found: Sequence[Run]) -> None:
    places = {(run.method, run.variant): place for place, run in enumerate(found)}
    for place, scheme in enumerate(schemes):
        own = [row for row in rows if row["scheme"] == scheme and row.get(key) is not None]
        shift = 0.5 * (place / max(1, len(schemes) - 1) - 0.5)
        axes.plot(
            [row[key] for row in own],
            [places[row["method"], row["variant"]] + shift for row in own],
            linestyle="none",
            marker=MARKERS[place % len(MARKERS)],
            color=COLOURS[place % len(COLOURS)],
            label=scheme.replace("_", " "),
            gid=f"{key} {scheme}",
        )
    axes.set_xlim(-0.03, 1.03)
