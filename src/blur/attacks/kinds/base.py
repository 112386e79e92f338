"""What an attack is: named arms, each of which turns a model into measured points. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import field_validator

from blur.attacks.point import Point, Record
from blur.core.settings import Strict

if TYPE_CHECKING:
    from blur.measure.settings import MeasureSettings
    from blur.measurements import Measurements
    from blur.models import LoadedModel
    from blur.models.encode import Example
    from blur.unlearn.settings import UnlearnSettings

Sets = Mapping[str, Sequence[Record]]


@dataclass(frozen=True)
class Victim:
    """A model under attack, and what the attacker has at hand.

    Attributes:
        load: returns a fresh copy of the model, verified; the stored one is never touched.
        load_target: returns the model from before unlearning.
        records: returns the records of sets of the task's data.
        examples: tokenises records as the task's training does.
        measure: measures a model; on ``sets`` and with ``settings``, where others are not given. It is left as it was.
        sets: records by set that ``measure`` reads.
        settings: what ``measure`` measures.
        bare: returns the model with what was put around it taken off; None where nothing was.
        is_reference: whether it is the target or the retrained model.
        progress: called with (done, total, what).
    """

    load: Callable[[], LoadedModel]
    load_target: Callable[[], LoadedModel]
    records: Callable[[Iterable[str]], list[dict[str, Any]]]
    examples: Callable[[LoadedModel, Iterable[Record]], list[Example]]
    measure: Callable[..., Measurements]
    sets: Sets
    settings: MeasureSettings
    bare: Callable[[], LoadedModel] | None
    is_reference: bool
    progress: Callable[[int, int, str], None]


class AttackBase(Strict):
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
