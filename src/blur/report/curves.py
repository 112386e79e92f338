"""Logged gradients against steps: rows and lines that several figures share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blur.report.runs import Run, by_method, finite
from blur.report.summary import summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]


def logged(run: Run) -> bool:
    """Whether a run logged the cosine of its two gradients at one step or more."""
    return any(finite(step.get("cosine")) is not None for step in run.steps)


def rows(runs: Sequence[Run], keys: Sequence[str]) -> list[Row]:
    """Return a row of ``keys`` per seed and step (``kind`` seed), then per step their means (``kind`` mean).

    Steps at which a key is null (a gradient of zero has no cosine) are left out.
    """
    found: list[Row] = []
    for (method, variant), group in by_method(runs).items():
        named = {"method": method, "title": group[0].title, "variant": variant}
        own = [
            {
                "kind": "seed",
                **named,
                "seed": run.seed,
                "step": step["step"],
                **{key: finite(step.get(key)) for key in keys},
            }
            for run in group
            for step in run.steps
            if all(finite(step.get(key)) is not None for key in keys)
        ]
        found += own + _means(own, named, keys)
    return found


def _means(own: list[Row], named: Row, keys: Sequence[str]) -> list[Row]:
    steps: dict[int, list[Row]] = {}
    for row in own:
        steps.setdefault(row["step"], []).append(row)
    return [
        {"kind": "mean", **named, "seed": None, "step": step, **{k: summarise(r[k] for r in group).mean for k in keys}}
        for step, group in sorted(steps.items())
    ]


def negative_shares(found: Sequence[Row]) -> dict[int, float]:
    """Return, by seed, the share of steps with a negative cosine."""
    seeds: dict[int, list[bool]] = {}
    for row in found:
        if row["kind"] == "seed":
            seeds.setdefault(row["seed"], []).append(row["cosine"] < 0)
    return {seed: sum(signs) / len(signs) for seed, signs in sorted(seeds.items())}


def plot(axes: Axes, found: Sequence[Row], key: str, colour: str) -> None:
    """Draw each seed as a thin line, their mean as a thick one, and zero."""
    axes.axhline(0, color="black", linewidth=0.9, zorder=2)
    seeds = sorted({row["seed"] for row in found if row["kind"] == "seed"})
    for seed in seeds:
        own = [row for row in found if row["seed"] == seed]
        thin: dict[str, Any] = {"linewidth": 0.7, "alpha": 0.45} if len(seeds) > 1 else {"linewidth": 1.5}
        name = f"seed {seed}" if len(seeds) == 1 else ("each seed" if seed == seeds[0] else None)
        axes.plot([r["step"] for r in own], [r[key] for r in own], color=colour, label=name, gid=f"seed{seed}", **thin)
    if len(seeds) > 1:
        mean = [row for row in found if row["kind"] == "mean"]
        axes.plot(
            [r["step"] for r in mean],
            [r[key] for r in mean],
            color=colour,
            linewidth=1.8,
            label=f"mean of {len(seeds)} seeds",
            gid="mean",
            zorder=3,
        )
