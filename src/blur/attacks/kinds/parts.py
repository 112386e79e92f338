"""Removal of parts: whoever holds the weights can take off what was put around a model (``blur.models.wrappers``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import Point
from blur.attacks.victim import Victim

NONE = "the model has no part that can be taken off"


class Attack(AttackBase):
    """One arm for each kind of part."""

    name: Literal["parts"] = "parts"
    arms: Mapping[str, Literal["wrapper"]]

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Measure the model without the part; target and retrained model, which have none, as they are."""
        victim.progress(0, 1, arm)
        if victim.bare is None:
            return {"": Point(victim.measure(victim.load().model) if victim.is_reference else None, {"reason": NONE})}
        return {"": Point(victim.measure(victim.bare().model))}
