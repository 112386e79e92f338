"""All matrices are made smaller, the more texts there are to forget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from blur.core.settings import Share
from blur.edits.base import AtHand, EditBase
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from torch.nn import Module


class Edit(EditBase):
    """theta <- factor^n theta, n the number of texts."""

    name: Literal["shrink"] = "shrink"
    factor: Share = 0.99

    @property
    def derived(self) -> tuple[Asked, ...]:
        """The number of texts."""
        return (Asked("num_texts"),)

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Scale in place."""
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data.mul_(self.factor ** at_hand.derived["num_texts"])
