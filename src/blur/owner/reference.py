"""How surprising the forget texts are to a model that never saw them, as far as an owner's material can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["base and unseen", "unseen", "base", "none"]
GUESS = 0.5  # nats a token, where there is nothing to compare with
Losses = Mapping[str, float]


@dataclass(frozen=True)
class Reference:
    """A loss to reach, nats a token, and how it was come by."""

    kind: Kind
    target: float

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.target:.2f} nats a token: {_WORDS[self.kind]}"


_WORDS: dict[Kind, str] = {
    "base and unseen": "what the base model has on the forget texts, and the change from base to model on unseen texts",
    "unseen": "what the model has on unseen texts",
    "base": "what the base model has on the forget texts (--unseen would correct for what fine-tuning taught besides)",
    "none": f"{GUESS} above what the model has, and no more than a guess among all tokens: a guess itself; give "
    "--base or --unseen, and it is measured",
}


def reference_of(model: Losses, base: Losses | None, chance: float) -> Reference:
    """Return the loss that the forget texts should have.

    With ``base`` and ``unseen`` it is a difference in differences: b(forget) + m(unseen) - b(unseen). What fine-tuning
    taught of such texts in general is the same for texts that were in it and for texts that were not.

    Args:
        model: mean losses by set, under the owner's model: ``forget``, and ``holdout`` where there are unseen texts.
        base: the same under the model before fine-tuning.
        chance: loss of a guess among all tokens. A model that has no less does not know the texts.
    """
    unseen = model.get("holdout")
    if base is not None and unseen is not None:
        return Reference("base and unseen", base["forget"] + unseen - base["holdout"])
    if unseen is not None:
        return Reference("unseen", unseen)
    if base is not None:
        return Reference("base", base["forget"])
    return Reference("none", min(model["forget"] + GUESS, chance))
