"""Noise on all weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import Point
from blur.attacks.victim import Victim
from blur.core.settings import Positive


class Attack(AttackBase):
    """One arm for each standard deviation."""

    name: Literal["noise"] = "noise"
    arms: Mapping[str, Positive]

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Measure a model with normal noise on it, drawn with one seed."""
        import torch

        model, generator = victim.load().model, torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=self.arms[arm])
        return {"": Point(victim.measure(model), {"std": self.arms[arm]})}
