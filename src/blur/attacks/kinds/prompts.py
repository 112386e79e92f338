"""Prompt attacks: the weights stay as they are; the same questions are asked in other ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import Point
from blur.attacks.prompts.base import WayBase
from blur.attacks.victim import Victim
from blur.core.choice import Axis
from blur.core.settings import SetName

Way = Annotated[WayBase, Axis("blur.attacks.prompts", "Way")]


class Attack(AttackBase):
    """One arm for each way to ask."""

    name: Literal["prompts"] = "prompts"
    arms: Mapping[str, Way]
    questions: SetName = Field(description="set whose questions are asked")

    @property
    def num_points(self) -> int:
        """Some ways ask several times."""
        return sum(arm.num_points for arm in self.arms.values())

    @property
    def modules(self) -> list[str]:
        """Modules of the ways."""
        return sorted({type(self).__module__, *(type(arm).__module__ for arm in self.arms.values())})

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Ask all questions in one way."""
        victim.progress(0, 1, arm)
        return self.arms[arm].ask(self.questions, victim)
