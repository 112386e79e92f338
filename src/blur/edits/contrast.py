"""WHP in its logit form (MUSE, arXiv 2407.06460): the model tuned on what is to be forgotten is put beside the model.

No weight changes; what is read off the two together is in ``blur.models.wrappers.contrast``. The form that fine-tunes
on what the two say is the loss ``generic_labels``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.edits.base import AtHand, EditBase
from blur.models.wrappers.contrast import Wrapper
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from torch.nn import Module


class Edit(EditBase):
    """The tuned model, whose higher logits are taken off alpha times."""

    name: Literal["contrast"] = "contrast"
    alpha: NonNegative = Field(1.0, description="1 in MUSE's code")
    copies: ClassVar[int] = 2

    @property
    def derived(self) -> tuple[Asked, ...]:
        """The tuned model."""
        return (Asked("forget_tuned"),)

    @property
    def wrapper(self) -> Wrapper:
        """Both models, together."""
        return Wrapper(alpha=self.alpha)

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Put the tuned model beside ``model``."""
        from blur.models.io import load

        self.wrapper.put(model, load(at_hand.derived["forget_tuned"]).model)
