"""Other questions of the forget set stand before the question, with their answers: a reminder of form and topic."""

from __future__ import annotations

from typing import Literal

from blur.attacks.point import Point, entity, unknown
from blur.attacks.prompts.base import WayBase, asked_with
from blur.attacks.victim import Victim
from blur.core.settings import Count

SHOTS = "shots"


class Way(WayBase):
    """The first ``shots`` records are shown, and not asked; whom they are about counts as used."""

    name: Literal["fewshot"] = "fewshot"
    shots: Count = 3

    def ask(self, questions: str, victim: Victim) -> dict[str, Point]:
        """Ask all other records."""
        records = list(victim.sets[questions])
        shown, asked = records[: self.shots], records[self.shots :]
        if not asked:
            return {"": Point(None, {"reason": f"{questions!r} has no record beyond the {len(shown)} that are shown"})}
        sets = {**victim.sets, questions: asked, SHOTS: shown}
        settings = asked_with(victim.settings, questions, examples=SHOTS)
        measured = victim.measure(victim.load().model, sets, settings)
        return {"": Point(measured, {"shots": len(shown), **unknown(shown)}, frozenset(map(entity, shown)))}
