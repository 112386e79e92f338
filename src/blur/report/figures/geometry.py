"""The geometry of BLUR's update, drawn from gradients that a run logged (paper, Fig. 4).

The plane is the one that g_f and g_r span: the horizontal axis points along g_f. In units of ||g_f||, with
r = ||g_r|| / ||g_f|| and c their cosine: g_f = (1, 0), g_r = (r c, r s), its projection (0, r s), and
u = g_r + xi g_f = (r c + xi, r s), whose horizontal part is gamma: <g_f, u> = gamma ||g_f||^2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blur.core.settings import MethodName, VariantName
from blur.report import style
from blur.report.figures.base import FigureBase, Row
from blur.report.runs import Run, finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


FACTOR = 10  # between the lengths of two gradients worth drawing in one panel
NAMES = {"conflict": "Most conflicting step", "median": "Median step", "aligned": "Most aligned step"}
VECTORS = {
    "g_f": (style.BLUE, "$g_f$"),
    "g_r": (style.GREEN, "$g_r$"),
    "projected": (style.SKY, r"$g_r^\perp$"),
    "gamma_g_f": (style.PURPLE, r"$\gamma\, g_f$"),
    "u": (style.RED, "$u$"),
}
LEGEND = {
    "g_f": "$g_f$: forget gradient",
    "g_r": "$g_r$: retain gradient",
    "projected": r"$g_r^\perp$: $g_r$ without its part along $g_f$",
    "gamma_g_f": r"$\gamma\, g_f$",
    "u": r"$u = g_r + \xi\, g_f$: BLUR's update",
}


class Figure(FigureBase):
    """The figure's options, rows and drawing."""

    method: MethodName = Field(description="a method with the bilevel combination, forget loss below")
    variant: VariantName = "default"

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return, for three steps of the first seed, the logged numbers and every vector's two coordinates.

        Coordinates are in units of ||g_f||, the first along g_f. The steps are chosen by cosine among those whose
        gradients are of comparable length, since a gradient that has all but vanished has a direction and teaches
        nothing; among all where fewer than three are.
        """
        run = _chosen(runs, self.method, self.variant)
        if run is None:
            return []
        usable = sorted(_candidates(run)[0], key=lambda step: (step["cosine"], step["step"]))
        places = {"conflict": 0, "median": (len(usable) - 1) // 2, "aligned": len(usable) - 1}
        steps = {name: usable[place] for name, place in places.items()} if usable else {}
        return [_row(name, step, run) for name, step in steps.items()]

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw the rows of ``data``, one panel per step."""
        if not rows:
            return style.empty(
                title, "geometry of the update", f"no run of {self.method}/{self.variant} logged its gradients"
            )
        run = _chosen(runs, self.method, self.variant)
        assert run is not None
        figure = style.figure(f"{title}: the geometry of {run.title}'s update, from logged gradients", 10.2, 4.3)
        scales = [_panel(axes, row) for axes, row in zip(figure.subplots(1, len(rows)), rows, strict=True)]
        figure.legend(handles=_handles(), loc="outside right center")
        true = all(scale == "true" for scale in scales)
        warning = (
            ""
            if true
            else " Where an axis is stretched or logarithmic, read the angle from the heading, not the drawing."
        )
        style.note(
            figure,
            f"Seed {rows[0]['seed']}, γ = {rows[0]['gamma']:g}. Unit of both axes: "
            r"$\Vert g_f \Vert$"
            " of that step."
            f"{warning}\n{_candidates(run)[1]}\n{_identity(rows)}",
        )
        return figure


def _chosen(runs: Sequence[Run], method: str, variant: str) -> Run | None:
    own = [run for run in runs if (run.method, run.variant) == (method, variant)]
    own = [run for run in own if run.combine.get("name") == "bilevel" and any(map(_usable, run.steps))]
    return min(own, key=lambda run: run.seed, default=None)


def _candidates(run: Run) -> tuple[list[Row], str]:
    """Return the steps to choose from, and words for the note that say which these are."""
    usable = [step for step in run.steps if _usable(step)]
    near = [step for step in usable if 1 / FACTOR <= step["retain_norm"] / step["forget_norm"] <= FACTOR]
    if len(near) < len(NAMES):
        return usable, f"Steps chosen by cosine among all {len(usable)} steps with both gradients."
    which = f"the {len(near)} of {len(run.steps)} steps" if len(near) < len(run.steps) else f"all {len(near)} steps,"
    return near, f"Steps chosen by cosine among {which} whose gradients are within a factor of {FACTOR} of each other."


def _usable(step: Row) -> bool:
    keys = ("forget_norm", "retain_norm", "cosine", "xi")
    return (
        all(finite(step.get(key)) is not None for key in keys) and step["forget_norm"] > 0 and step["retain_norm"] > 0
    )


def _row(name: str, step: Row, run: Run) -> Row:
    cosine = max(-1.0, min(1.0, step["cosine"]))
    ratio = step["retain_norm"] / step["forget_norm"]
    along, across = ratio * cosine, ratio * math.sqrt(1 - cosine**2)
    gamma = float(run.combine["gamma"])
    vectors = {
        "g_f": (1.0, 0.0),
        "g_r": (along, across),
        "projected": (0.0, across),
        "gamma_g_f": (gamma, 0.0),
        "u": (along + step["xi"], across),
    }
    logged = {key: step[key] for key in ("forget_norm", "retain_norm", "cosine", "xi")}
    angle = math.degrees(math.acos(cosine))
    coordinates = {
        f"{key}_{axis}": value for key, pair in vectors.items() for axis, value in zip("xy", pair, strict=True)
    }
    return {
        "panel": name,
        "method": run.method,
        "seed": run.seed,
        "step": step["step"],
        "gamma": gamma,
        **logged,
        "ratio": ratio,
        "angle_degrees": angle,
        **coordinates,
    }


def _identity(rows: list[Row]) -> str:
    """State the identity where the logged xi bears it out; a one-sided xi does not."""
    if all(abs(row["u_x"] - row["gamma"]) <= 1e-3 * max(1.0, row["ratio"]) for row in rows):
        identity = r"$\langle g_f, u \rangle = \gamma \Vert g_f \Vert^2$"
        return rf"The tip of $u$ lies on the dashed line, whatever $g_r$ is: {identity}."
    return r"Dashed: $\gamma \Vert g_f \Vert$; with the logged $\xi$ the tip of $u$ does not always lie on it."


def _handles() -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=VECTORS[key][0], linewidth=2, label=text) for key, text in LEGEND.items()]


def _panel(axes: Axes, row: Row) -> str:
    xs = [0.0, *(row[f"{key}_x"] for key in VECTORS)]
    ys = [0.0, *(row[f"{key}_y"] for key in VECTORS)]
    scale = _scale(axes, xs, ys)
    axes.axhline(0, color="#BBBBBB", linewidth=0.8, zorder=1)
    axes.axvline(row["gamma"], color=style.RED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    for key in VECTORS:
        _arrow(axes, row, key)
    axes.plot([row["g_r_x"], row["u_x"]], [row["u_y"]] * 2, color="#999999", linewidth=0.8, linestyle=":")
    axes.set_title(
        f"{NAMES[row['panel']]} ({row['step']})\nangle {row['angle_degrees']:.1f}° (cos {row['cosine']:+.3f})\n"
        r"$\Vert g_r \Vert / \Vert g_f \Vert$"
        f" = {_digits(row['ratio'])}, ξ = {_digits(row['xi'])}\n{_TEXT[scale]}".replace("-", "−"),
        fontsize=8,
    )
    axes.set_xlabel("along $g_f$")
    axes.set_ylabel("across $g_f$")
    return scale


def _digits(value: float) -> str:
    """Write three significant digits, trailing zeros among them."""
    return f"{value:#.3g}".rstrip(".")


_TEXT = {"true": "true to scale", "stretched": "axes scaled apart", "log": "along-axis logarithmic"}


def _scale(axes: Axes, xs: list[float], ys: list[float]) -> str:
    """Fit the axes to the vectors: true angles where lengths allow it, else each axis its own scale."""
    lengths = [abs(x) for x in xs if x]
    wide, high = max(xs) - min(xs), max(ys)
    margin = 0.22 * wide
    axes.set_xlim(min(xs) - margin, max(xs) + margin)
    axes.set_ylim(-0.2 * high, 1.18 * high)
    if max(lengths) > 15 * min(1.0, *(x for x in lengths if x >= 0.2)):
        axes.set_xscale("symlog", linthresh=1.0, linscale=0.8)
        axes.set_xlim(min(-0.6, 3 * min(xs)), 3 * max(xs))
        return "log"
    if 0.25 < high / wide < 4:
        axes.set_aspect("equal", adjustable="box")
        tall = 0.8 * (wide + 2 * margin)  # else a flat panel has no room for its labels
        axes.set_ylim(-0.35 * tall, max(1.18 * high, 0.65 * tall))
        return "true"
    return "stretched"


def _arrow(axes: Axes, row: Row, key: str) -> None:
    colour, name = VECTORS[key]
    tip = (row[f"{key}_x"], row[f"{key}_y"])
    # Thick below thin: gamma g_f lies on g_f, and u on the projection where gamma is small.
    width = {"g_f": 4.0, "projected": 3.2}.get(key, 1.6)
    axes.annotate(
        "",
        tip,
        (0, 0),
        zorder=5 - width / 10,
        gid=key,
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "lw": width,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 8 + 3 * width,
        },
    )
    side = 1 if row["g_r_x"] > 0 else -1
    # The projection stands between g_r and u: its name goes where the nearer of the two is farther away.
    gaps = {way: min((way * x for x in (row["g_r_x"], row["u_x"]) if way * x > 0), default=math.inf) for way in (-1, 1)}
    free = max(gaps, key=lambda way: gaps[way])
    spots = {
        "g_f": ((0.5, 0), (0, -11)),
        "gamma_g_f": (tip, (9, 9)),
        "g_r": (tip, (8 * side, 9)),
        "u": (tip, (8, 8)),
        "projected": ((0, 0.9 * tip[1]), (11 * free, 0)),
    }
    spot, offset = spots[key]
    halo = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
    axes.annotate(
        name,
        spot,
        offset,
        textcoords="offset points",
        color=colour,
        ha="center",
        va="center",
        fontsize=10,
        zorder=6,
        bbox=halo,
    )
