"""One style for all figures: a colour says how the retain set is treated, a marker which forget loss is used."""

from __future__ import annotations

import hashlib
import math
import textwrap
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blur.report.runs import Run, loss_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Okabe and Ito (2008), without the yellow that is lost on white.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#6E6E6E"
REFERENCE_MARKERS = {"target": "*", "retrained": "P", "base": "X"}
MARKERS = {"ga": "v", "npo": "s", "simnpo": "o", "npo_logits": "D", "dpo": "^", "rmu": "p", "undial": "h"}
DOTTED, CHANCE = (0, (1, 1.5)), (0, (5, 3))  # levels: of a reference, of guessing
SPARE_MARKERS = ("<", ">", "H", "d", "8", "^", "D")
LINES = {RED: "-", ORANGE: "-", BLUE: (0, (5, 1.5)), SKY: (0, (5, 1.5)), GREEN: (0, (4, 1.2, 1, 1.2)), PURPLE: "-."}
UNBOUNDED = ("privleak", "perplexity")
LETTERS = 14  # of small print in an inch
LOSS_TITLES = {"ga": "gradient ascent", "npo": "NPO", "simnpo": "SimNPO", "npo_logits": "NPO on logits"}
RC = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 6,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "savefig.dpi": 150,
}


@dataclass(frozen=True)
class Look:
    """How a method is drawn, in every figure the same."""

    colour: str
    marker: str
    hollow: bool = False

    @property
    def line(self) -> Any:
        """Line style that goes with the colour."""
        return LINES.get(self.colour, "-")

    def points(self) -> dict[str, Any]:
        """Arguments of a marker for ``Axes.plot``."""
        face = "white" if self.hollow else self.colour
        edge = self.colour if self.hollow else "white"
        return {"color": self.colour, "marker": self.marker, "markerfacecolor": face, "markeredgecolor": edge}


def look(run: Run) -> Look:
    """Return a method's look, told from its axes: new methods get one without being listed anywhere.

    A hollow marker is an optimizer other than AdamW, or a mask or adapter in place of all weights (SURE, LoRA).
    """
    if run.is_reference:
        return Look(GREY if run.method == "base" else BLACK, REFERENCE_MARKERS[run.method])
    spare = SPARE_MARKERS[hashlib.sha256(run.family.encode()).digest()[0] % len(SPARE_MARKERS)]
    optimizer = loss_name(run.settings.get("optimizer"))
    narrow = loss_name(run.settings.get("scope")) == "saliency" or loss_name(run.settings.get("wrapper")) != "none"
    return Look(_colour(run), MARKERS.get(run.family, spare), narrow or optimizer not in ("adamw", "none"))


def _colour(run: Run) -> str:
    combination = run.combine.get("name", "none")
    retain = loss_name(run.settings.get("retain"))
    if combination == "bilevel":
        return RED if retain in ("nll", "activation_mse") else ORANGE
    if combination in ("reversed", "pdu"):
        return PURPLE
    if retain == "none":
        return GREEN
    return BLUE if retain in ("nll", "activation_mse") else SKY


def context() -> AbstractContextManager[None]:
    """Return the context in which figures are drawn and saved, whatever the user's matplotlibrc says."""
    import matplotlib

    parameters: dict[Any, Any] = {**matplotlib.rcParamsDefault, **RC, "backend": "agg"}
    return matplotlib.rc_context(parameters)


def figure(heading: str, width: float, height: float) -> Figure:
    """Return an empty figure with its heading; sizes in inches."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    made.suptitle(heading, fontweight="bold")
    return made


def layout(panels: int, columns: int = 4) -> tuple[int, int]:
    """Return columns and rows for a number of panels: as few rows as ``columns`` allow, and evenly filled."""
    blocks = -(-panels // columns)
    return -(-panels // blocks), blocks


def loss_title(family: str) -> str:
    """Return how a forget loss is written as the heading of a column."""
    return f"Forget loss: {LOSS_TITLES.get(family, family.replace('_', '-').upper())}"


def empty(title: str, what: str, reason: str) -> Figure:
    """Return a figure that says why there is nothing to draw, so that a subset of methods still gets its report."""
    made = figure(f"{title}: {what}", 6.0, 2.2)
    axes = made.subplots()
    axes.set_axis_off()
    axes.text(0.5, 0.5, f"Nothing to draw: {reason}.", ha="center", va="center", wrap=True)
    return made


def note(figure: Figure, text: str) -> None:
    """Write small print below the figure, where the layout keeps room for it; a line is no longer than the figure."""
    width = int(LETTERS * figure.get_figwidth())
    text = "\n".join(part for line in text.splitlines() for part in textwrap.wrap(line, width))
    figure.supxlabel(text, fontsize=8, x=0.01, ha="left", color="#333333")


def bounds(metric: str, values: Iterable[float | None]) -> tuple[float, float]:
    """Return the ends that a metric cannot pass: 0 and 1 where all its values lie between them, else none.

    A t interval over few seeds may be wider than what it is about can be.

    Args:
        values: the metric's values, in any runs.
    """
    known = [value for value in values if value is not None]
    free = any(word in metric for word in UNBOUNDED)
    unit = bool(known) and not free and min(known) >= 0 and max(known) <= 1
    return (0.0, 1.0) if unit else (-math.inf, math.inf)


def cut(low: float, high: float, ends: tuple[float, float]) -> tuple[float, float]:
    """Return an interval without what lies beyond ``ends``."""
    return max(low, ends[0]), min(high, ends[1])


def bars(row: Mapping[str, Any], ends: Mapping[str, tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Return the two ends of each of a mean's two intervals, as points; none where there are none.

    Args:
        ends: what each metric cannot pass, that of the vertical axis first.
    """
    up, across = ends
    if row.get(f"{up}_low") is None or row.get(f"{across}_low") is None:
        return []
    left, right = cut(row[f"{across}_low"], row[f"{across}_high"], ends[across])
    low, high = cut(row[f"{up}_low"], row[f"{up}_high"], ends[up])
    return [[(left, row[up]), (right, row[up])], [(row[across], low), (row[across], high)]]


def is_cut(rows: Iterable[Mapping[str, Any]], key: str, ends: tuple[float, float]) -> bool:
    """Whether an interval ``key_low`` to ``key_high`` of some row passes ``ends``."""
    known = [(row[f"{key}_low"], row[f"{key}_high"]) for row in rows if row.get(f"{key}_low") is not None]
    return any(cut(*span, ends) != span for span in known)


def seeds_note(counts: Iterable[int], interval: str = "bars", cut: bool = False) -> str:
    """Say how many seeds there are and, where there are several, what the bars or bands are.

    Args:
        cut: whether one of them was cut to what the metric can be.
    """
    known = sorted({count for count in counts if count})
    if not known:
        return "No seeds."
    if known[-1] == 1:
        return "One seed: no intervals."
    number = str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"
    return f"Mean over {number} seeds; {interval}: 95% t interval{', cut to [0, 1]' if cut else ''}."


def levels_note(rows: Iterable[Mapping[str, Any]]) -> str:
    """Say what the dotted and the dashed lines are, told from rows of the kinds ``reference`` and ``chance``."""
    known = list(rows)
    titles = list(dict.fromkeys(row["title"].lower() for row in known if row["kind"] == "reference"))
    dotted = f" Dotted: {' and '.join(titles)} model." if titles else ""
    return dotted + (" Dashed: guessing." if any(row["kind"] == "chance" for row in known) else "")


def handle(run: Run, name: str | None = None, line: bool = False) -> Line2D:
    """Return the legend entry of a method."""
    from matplotlib.lines import Line2D

    style = look(run)
    size = 10 if run.is_reference else 6.5
    text = name or run.title
    return Line2D([], [], linestyle=style.line if line else "none", label=text, markersize=size, **style.points())
