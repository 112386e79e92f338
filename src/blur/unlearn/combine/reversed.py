"""BLUR with the hierarchy swapped ("forget upper" in the authors' code): retaining has priority."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from blur.unlearn.combine.base import Projection, Statistics, describe, measure, project

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Projection):
    """u = g_f + xi g_r with xi = gamma - <g_f, g_r> / ||g_r||^2, so that <g_r, u> = gamma ||g_r||^2."""

    name: Literal["reversed"] = "reversed"

    def combine(self, forget: Gradients, retain: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_f."""
        table = measure(forget, retain)
        update, xi, square = project(self, retain, forget, [row[::-1] for row in table], names)
        return update, describe(table, xi, square)
