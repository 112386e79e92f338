"""What an attack is: named arms, each of which turns a model into measured points. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import field_validator

from blur.attacks.point import Point
from blur.attacks.victim import Victim
from blur.core.choice import Choice

if TYPE_CHECKING:
    from blur.unlearn.settings import UnlearnSettings


class AttackBase(Choice):
    """An attack. Its arms are its settings by name; each is made by itself, so that an interrupted attack goes on.

    Attributes:
        of_target: whether an arm reads the model from before unlearning.
    """

    of_target: ClassVar[bool] = False
    arms: Mapping[str, Any]

    @field_validator("arms", mode="before")
    @classmethod
    def _without_those_left_out(cls, arms: Any) -> Any:
        """Drop the arms that a later file sets to null; the rest are sorted, since the order of keys has no meaning."""
        if not isinstance(arms, Mapping):
            return arms
        kept = {name: arms[name] for name in sorted(arms, key=str) if arms[name] is not None}
        if not kept:
            raise ValueError("no arm is left; give at least one, with its settings")
        return kept

    def strike(self, arm: str, victim: Victim) -> dict[str, Point]:
        """Make one arm; return its points by name (``""`` for the arm's only one)."""
        raise NotImplementedError

    @property
    def num_points(self) -> int:
        """How many times a model is measured, for the cost model."""
        return len(self.arms)

    @property
    def trainings(self) -> list[tuple[UnlearnSettings, tuple[str, ...]]]:
        """Fine-tunings and the sets they learn from, for the cost model."""
        return []

    @property
    def modules(self) -> list[str]:
        """Modules that the settings name, for the code fingerprint (which leaves settings out)."""
        return [type(self).__module__]
