"""NGDiff (Bu et al., arXiv 2410.22086): both gradients at length 1, and a rate that is found by probing (AutoLR, GeN).

A port normalises at every micro-batch, and the mean of unit vectors is not the unit vector of the mean: here the whole
group's gradients are normalised. That port's probes call the optimizer's step, so that its moments advance three times,
and its new rate leaves out the one that the parabola was drawn around. Here the step is made once, and the loss is
looked at along it: weights and moments are those of a run without probes until the rate changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Share, Whole
from blur.unlearn.combine.base import Combination, Statistics, describe, measure, total, weigh

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients
    from blur.unlearn.smooth.base import Side

FACTOR = "rate"  # of the run's numbers: what the learning rate is multiplied by


class Combine(Combination):
    """u = g_f / ||g_f|| + g_r / ||g_r||, so that neither loss rises along u to first order; 0 / 0 counts as 0.

    Every so often a parabola through the retain loss at lr - d, lr and lr + d gives the rate from then on:
    lr <- lr - d (L+ - L-) / (2 (L+ - 2 L0 + L-)), where its curvature is positive.
    """

    name: Literal["ngdiff"] = "ngdiff"
    probe_every: Whole = Field(0, description="updates from one probe to the next; 0: the rate is the optimizer's")
    probe_width: Share = Field(0.5, description="d, as a share of the rate")
    held: ClassVar[int] = 2
    least: Share = Field(0.1, description="share of the rate that a probe leaves at least, as no rate is negative")

    def passes(self, side: Side) -> float:
        """Three of the retain side in a probe."""
        return 3 / self.probe_every if side == "retain" and self.probe_every else 0.0

    def factor(self, numbers: Mapping[str, float]) -> float:
        """Return what the last probe said; 1 before the first."""
        return numbers.get(FACTOR, 1.0)

    def probes(self, step: int) -> bool:
        """Whether it is the turn of this step."""
        return self.probe_every > 0 and step % self.probe_every == 0

    def probe(self, lr: float, numbers: dict[str, float], loss: Callable[[float], float]) -> None:
        """Move the rate to the parabola's lowest point, where it has one."""
        width = self.probe_width * lr
        behind, here, ahead = (loss(lr + one) for one in (-width, 0.0, width))
        curvature = ahead - 2 * here + behind
        if curvature > 0:
            best = lr - width * (ahead - behind) / (2 * curvature)
            numbers[FACTOR] = self.factor(numbers) * max(best / lr, self.least)

    def combine(self, g_f: Gradients, g_r: Gradients, names: Sequence[str]) -> tuple[Gradients, Statistics]:
        """Return u, in place of g_r."""
        table = measure(g_f, g_r)
        ff, _, rr = total(table, range(len(table)))
        of_f, of_r = ([1 / math.sqrt(square) if square else 0.0] * len(names) for square in (ff, rr))
        return weigh(g_f, g_r, of_f, of_r), describe(table, of_f, of_r)
