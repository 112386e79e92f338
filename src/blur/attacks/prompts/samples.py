"""The same question asked several times, with sampling: what leaks once has leaked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blur.attacks.point import WORST, Point
from blur.attacks.prompts.base import WayBase, asked_with
from blur.attacks.victim import Victim
from blur.core.settings import Count, Positive


class Way(WayBase):
    """Of ``k`` answers to each question the one that tells most counts."""

    name: Literal["samples"] = "samples"
    k: Count = 8
    temperature: Positive = Field(1.0, le=100)

    @property
    def num_points(self) -> int:
        """Once for each sample."""
        return self.k

    def ask(self, questions: str, victim: Victim) -> dict[str, Point]:
        """Ask ``k`` times; each time is a point, and the points' worst is what counts."""
        model, points = victim.load().model, {}
        for seed in range(self.k):
            settings = asked_with(victim.settings, questions, temperature=self.temperature, seed=seed)
            points[f"sample{seed}"] = Point(victim.measure(model, None, settings), {WORST: f"worst of {self.k}"})
            victim.progress(seed + 1, self.k, self.name)
        return points
