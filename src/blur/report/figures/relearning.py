"""How fast forgetting is undone: the judges' mean against the steps of fine-tuning, one panel per arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from blur.core.settings import AttackName
from blur.report import panels, style
from blur.report.figures.base import FigureBase, Metrics, Row
from blur.report.robustness import judged
from blur.report.runs import Run, first_attacked, points_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


ITEMS = {
    "all": "All items, those that the attacker trained on included: the retrained model learns these anew.\n"
    "What a method shows beyond the retrained model has come back.",
    "unseen": "Only items of entities that the attacker did not train on.\n"
    "What a method shows beyond guessing (dashed) has come back.",
}


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    attack: AttackName = Field(description="one that measures along steps")
    forget: Metrics = Field(description="judge a model before the attack")
    items: Literal["all", "unseen"] = Field(
        "all", description="`unseen`: of entities that the attacker did not train on"
    )

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return a row per run, arm and step; step 0 is before the attack, where all items are judged."""
        rows = []
        for run in first_attacked(runs, self.attack):
            points = [point for point in points_of(run.attacks[self.attack]).values() if "judged" in point]
            whose = {"method": run.method, "variant": run.variant, "title": run.title, "seed": run.seed}
            for arm in dict.fromkeys(point["arm"] for point in points):
                before = [{"step": 0, "judged": {self.items: judged(run, self.forget)}}] if self.items == "all" else []
                own = [*before, *(one for one in points if one["arm"] == arm)]
                rows += [{**whose, "arm": arm, "step": one["step"], "value": one["judged"][self.items]} for one in own]
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``."""
        found = first_attacked(runs, self.attack)
        arms = list(dict.fromkeys(row["arm"] for row in rows))
        if not arms:
            return style.empty(title, "relearning", "no model was attacked so")
        told = found[0].attacks[self.attack]
        figure, grid = panels.grid(f"{title}: {told['title'][0].lower()}{told['title'][1:]}", len(arms))
        for axes, arm in zip(grid, arms, strict=True):
            _panel(axes, [row for row in rows if row["arm"] == arm], found)
            if self.items != "all" and told["chance"] is not None:
                axes.axhline(told["chance"], color=style.GREY, linestyle="--", linewidth=1, zorder=0, gid="chance")
            axes.set_title(arm.replace("_", " "))
        for axes in grid[:: style.layout(len(arms), 3)[0]]:
            axes.set_ylabel("Left of the forget set\n(mean of the judges)")
        handles = [style.handle(run, run.name, line=not run.is_reference) for run in found]
        figure.legend(handles=handles, loc="outside right upper", handlelength=2.6)
        style.note(
            figure,
            f"Judges: {', '.join(self.forget)}; lower is better. {ITEMS[self.items]} Same steps and learning rate "
            "for all. One seed: no intervals.",
        )
        return figure


def _panel(axes: Axes, rows: list[Row], found: Sequence[Run]) -> None:
    for run in found:
        own = [row for row in rows if (row["method"], row["variant"]) == (run.method, run.variant)]
        known = [row for row in own if row["value"] is not None]
        look = style.look(run)
        line: Any = style.DOTTED if run.is_reference else look.line
        axes.plot(
            [row["step"] for row in known],
            [row["value"] for row in known],
            linestyle=line,
            gid=f"{run.method} {run.variant}",
            **look.points() | {"markersize": 8 if run.is_reference else 5},
        )
    axes.set_xscale("symlog", linthresh=5)
    steps = sorted({row["step"] for row in rows})
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.minorticks_off()
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("Steps of fine-tuning")
