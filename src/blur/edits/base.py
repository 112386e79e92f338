"""What an edit is: it changes a model's weights once, without the training loop. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from blur.core.choice import Choice
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.encode import Example

PACKAGE = "blur.edits"


@dataclass(frozen=True)
class AtHand:
    """What an edit may read besides the model.

    Attributes:
        derived: what was made for it beforehand, by kind.
        examples: returns the training examples of one of the streams that it reads.
        seed: of the run.
    """

    derived: Mapping[str, Any]
    examples: Callable[[str], list[Example]]
    seed: int = 0


class EditBase(Choice):
    """One way to change weights.

    Attributes:
        streams: those that it reads.
        copies: whole models in memory at once, for the planner.
    """

    streams: ClassVar[tuple[str, ...]] = ()
    copies: ClassVar[int] = 1

    @property
    def derived(self) -> tuple[Asked, ...]:
        """What has to be made beforehand."""
        return ()

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Change the weights of ``model``, which is in evaluation mode, in place."""
        raise NotImplementedError
