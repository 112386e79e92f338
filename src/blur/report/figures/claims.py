"""Claims of the literature, each beside our numbers at our scale, whatever they say.

BLUR's: it beats every method it is compared with (arXiv 2506.08164). Quantization's: of what unlearning had removed,
21% is left in full precision, 83% at 4 bits (arXiv 2410.16454). RTT's: retraining on other facts recovers 88% of the
accuracy from before (arXiv 2410.08827). All on models of billions of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import Field

from blur.core.settings import ArmName, AttackName, ColumnName, MethodName
from blur.report import style
from blur.report.figures.base import FigureBase, Metrics, Row
from blur.report.robustness import Recovery, judged, recoveries
from blur.report.runs import DEFAULT, Run, by_method, rank
from blur.report.summary import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


CLAIMED = {"quantization": (0.21, 0.83), "rtt": (None, 0.88)}
TITLES = {
    "paper": "BLUR against its weighted sum\n(claimed: better in both)",
    "quantization": "Left of the target's knowledge\n(claimed: 21% becomes 83% at 4 bits)",
    "rtt": "Accuracy on facts not retrained on,\nof the target's (claimed: 88% after RTT)",
}


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    forget: Metrics = Field(description="judges, 0-1, lower is better")
    utility: ColumnName = Field(description="higher is better")
    pairs: dict[MethodName, MethodName] = Field(description="a BLUR method and the weighted sum of the same losses")
    arms: dict[AttackName, tuple[ArmName, ...]] | None = Field(
        None,
        description="by attack, `quantization` or `rtt`: the arms that the claim is about; the largest counts, for RTT "
        "the mean over those that say something",
    )

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return a row per pair for BLUR's claim, and one per attacked method for each claim about an attack."""
        rows = [
            row for blur, other in self.pairs.items() if (row := _pair(runs, blur, other, self.forget, self.utility))
        ]
        references = {run.method: run for run in reversed(runs) if run.is_reference}
        for attack, chosen in (self.arms or {}).items():
            attacked = sorted((run for run in runs if attack in run.attacks and not run.is_reference), key=rank)
            rows += [
                _attacked(run, references, attack, chosen, self.forget) for run in attacked if "target" in references
            ]
        return rows

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``, a panel per claim."""
        claims = list(dict.fromkeys(row["claim"] for row in rows))
        if not claims:
            return style.empty(title, "claims", "no pair of methods was run, and no model attacked")
        figure = style.figure(f"{title}: claims and our numbers", 4.9 * len(claims) + 0.6, 4.3)
        for axes, claim in zip(figure.subplots(1, len(claims), squeeze=False)[0], claims, strict=True):
            own = [row for row in rows if row["claim"] == claim]
            (_draw_pairs if claim == "paper" else _draw_shares)(axes, own)
            axes.set_title(TITLES[claim])
        counts = [row["n"] for row in rows if row["claim"] == "paper"]
        style.note(
            figure,
            f"{style.seeds_note(counts)} Judges: {', '.join(self.forget)}; utility: {self.utility}.\nDotted: what was "
            "claimed, for models of billions of parameters. Attacks: one seed.",
        )
        return figure


def _pair(runs: Sequence[Run], blur: str, other: str, forget: Sequence[str], utility: str) -> Row | None:
    """Return how much less is left, and how much more utility, within a seed and averaged over seeds."""
    groups = by_method(runs)
    mine, theirs = ({run.seed: run for run in groups.get((name, DEFAULT), [])} for name in (blur, other))
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return None
    left = summarise(_less(judged(theirs[seed], forget), judged(mine[seed], forget)) for seed in seeds)
    kept = summarise(_less(mine[seed].value(utility), theirs[seed].value(utility)) for seed in seeds)
    if left.mean is None or kept.mean is None:
        return None
    titles = f"{mine[seeds[0]].title} − {theirs[seeds[0]].title}"
    whose = {"claim": "paper", "method": blur, "other": other, "title": titles, "n": left.n}
    return {**whose, **left.columns("forgotten"), **kept.columns("utility")}


def _less(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else one - two


def _attacked(run: Run, references: Mapping[str, Run], attack: str, arms: Sequence[str], forget: Sequence[str]) -> Row:
    """Return the share of the target's level before the attack and after it."""
    target, retrained = references["target"], references.get("retrained")
    found = [one for one in recoveries(run, target, retrained, attack) if one.arm in arms]
    shares = [_best_of(found, arm) for arm in dict.fromkeys(one.arm for one in found)]
    known = [share for share in shares if share is not None]
    after = None if not known else fmean(known) if attack == "rtt" else max(known)
    before = _share(judged(run, forget), judged(target, forget))
    return {"claim": attack, "method": run.method, "title": run.title, "before": before, "after": after}


def _best_of(found: Sequence[Recovery], arm: str) -> float | None:
    """Return the share of the target's best along an arm, over points at which the attack has left it something."""
    own = [one.values for one in found if one.arm == arm and one.value is not None]
    best = [max((level for values in own if (level := values[side]) is not None), default=None) for side in (0, 2)]
    return _share(*best)


def _share(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole


def _draw_pairs(axes: Axes, rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        for key, shift, colour in (("forgotten", -0.14, style.RED), ("utility", 0.14, style.BLUE)):
            name = {"forgotten": "less left of the forget set", "utility": "more utility"}[key]
            axes.plot(
                row[key], place + shift, "o", color=colour, label=name if not place else None, gid=f"{key} {place}"
            )
            if row[f"{key}_low"] is not None:
                axes.hlines(place + shift, row[f"{key}_low"], row[f"{key}_high"], color=colour, linewidth=4, alpha=0.25)
    axes.axvline(0, linestyle=style.DOTTED, color="#444444", linewidth=1.1)
    left, right = axes.get_xlim()
    reach = max(0.05, -left, right)  # a difference in the fourth digit should look like none
    axes.set_xlim(-reach, reach)
    _names(axes, rows)
    axes.set_xlabel("BLUR minus the other (right: BLUR is better)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _draw_shares(axes: Axes, rows: list[Row]) -> None:
    for key, colour in (("before", style.SKY), ("after", style.RED)):
        known = [(row[key], place) for place, row in enumerate(rows) if row[key] is not None]
        axes.plot([x for x, _ in known], [y for _, y in known], "o", color=colour, label=f"{key} the attack", gid=key)
    for level, colour in zip(CLAIMED[rows[0]["claim"]], (style.SKY, style.RED), strict=True):
        if level is not None:
            axes.axvline(level, linestyle=style.DOTTED, color=colour, linewidth=1.4, gid="claimed")
    _names(axes, rows)
    axes.set_xlim(left=-0.03)
    axes.set_xlabel("Share of the target's")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _names(axes: Axes, rows: list[Row]) -> None:
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
