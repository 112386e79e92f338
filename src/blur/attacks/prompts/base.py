"""What a way to ask is: it rewrites the questions, and leaves the model alone. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blur.attacks.point import Point, Record
from blur.attacks.victim import Victim
from blur.core.choice import Choice

if TYPE_CHECKING:
    from blur.measure.settings import MeasureSettings
    from blur.models import LoadedModel


class WayBase(Choice):
    """Another way to ask the same questions. Most ways only rewrite each record."""

    @property
    def num_points(self) -> int:
        """How many times the questions are asked."""
        return 1

    def rewrite(self, record: Record, loaded: LoadedModel) -> dict[str, Any] | None:
        """Return the record as it is asked; None where it cannot be asked so."""
        raise NotImplementedError

    def ask(self, questions: str, victim: Victim) -> dict[str, Point]:
        """Ask the questions of a set; return points by name (``""`` for the only one)."""
        loaded = victim.load()
        asked = [self.rewrite(record, loaded) for record in victim.sets[questions]]
        found = [record for record in asked if record is not None]
        if not found:
            return {"": Point(None, {"reason": f"no record of {questions!r} can be asked so"})}
        settings = self.settings(questions, victim)
        return {"": Point(victim.measure(loaded.model, {**victim.sets, questions: found}, settings))}

    def settings(self, questions: str, victim: Victim) -> MeasureSettings:
        """Return how the rewritten questions are asked: as the benchmark does, unless a way says otherwise."""
        return victim.settings


def asked_with(settings: MeasureSettings, questions: str, **changes: Any) -> MeasureSettings:
    """Return ``settings`` with changes to how answers to the questions of a set are generated."""
    changed = tuple(
        request.model_copy(update=changes) if request.set == questions else request for request in settings.generation
    )
    return settings.model_copy(update={"generation": changed})
