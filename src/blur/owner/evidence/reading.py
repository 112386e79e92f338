"""What one model knows of the texts, in one state: values by measure, set and text. Higher is better known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from blur.owner.estimate import Excess, Values, minus

Kind = Literal["reference", "base and unseen texts", "base", "unseen texts", "nothing"]
FORGET: Final = "forget"
KEEP: Final = "retain"
UNSEEN: Final = "holdout"
# Of the true text: mean log-probability of a token; that of its least likely tokens (Min-K%); share of tokens that are
# the likeliest; share at the end that comes by itself. Of what the model says: ROUGE-L recall, plainly asked, in the
# worst of other words, with a hint; and the share of it that repeats.
FAMILIAR, LOWEST, EXACT, EXTRACTED = "familiar", "lowest", "exact", "extracted"
SAID, REWORDED, HINTED, REPEATED = "said", "reworded", "hinted", "repeated"


@dataclass(frozen=True)
class Reading:
    """Values by measure and set, by id of a text."""

    values: Mapping[tuple[str, str], Values]

    def of(self, measure: str, set: str) -> Values:
        """Return a set's values; nothing where it was not measured."""
        return self.values.get((measure, set), {})


@dataclass(frozen=True)
class State:
    """The models in one state, as they are or after the same attack.

    Attributes:
        after: the model that is audited.
        other: the reference or the base; None where there is none.
        before: the model before; None where the comparison does not need it in this state.
    """

    after: Reading
    other: Reading | None
    before: Reading | None = None


@dataclass(frozen=True)
class NeverSaw:
    """How it is known what a model that never saw the texts would show.

    ``reference`` was trained without them: compare directly. ``base`` is the model before fine-tuning: what the
    fine-tuning did to unseen texts, which the model before never saw either, is added (difference in differences).
    Without a model, what the model before knows of unseen texts stands for it. With a base alone, what the base shows
    is the least that such a model would: a share is at most what is told (``bound``).
    """

    kind: Kind

    @property
    def bound(self) -> bool:
        """Whether shares are upper bounds only."""
        return self.kind == "base"

    @property
    def compares(self) -> bool:
        """Whether there is anything to compare with."""
        return self.kind != "nothing"

    @property
    def by_unseen(self) -> bool:
        """Whether what the model before knows of unseen texts counts, in every state."""
        return self.kind in ("base and unseen texts", "unseen texts")

    def excess(self, measure: str, own: Reading, state: State) -> Excess:
        """Return how much better a model knows the forget texts than one that never saw them.

        Args:
            own: of the model.
            state: the models to compare with, in the same state.
        """
        other, before = state.other, state.before
        forget = minus(own.of(measure, FORGET), other.of(measure, FORGET) if other else None)
        if not self.by_unseen:
            return Excess(forget, {})
        unseen = minus(before.of(measure, UNSEEN), other.of(measure, UNSEEN) if other else None) if before else {}
        return Excess(forget if unseen else {}, unseen)


def never_saw(reference: bool, base: bool, unseen: bool) -> NeverSaw:
    """Return the best comparison that there is."""
    if reference:
        return NeverSaw("reference")
    if base:
        return NeverSaw("base and unseen texts" if unseen else "base")
    return NeverSaw("unseen texts" if unseen else "nothing")
