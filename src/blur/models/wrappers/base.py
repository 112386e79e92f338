"""What a wrapper is: parameters of its own, put around a base model. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from blur.core.choice import Choice
from blur.models.anatomy import Anatomy, Shape

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel

    from blur.models.encode import Example

PACKAGE = "blur.models.wrappers"
FOLDER = "wrapper"  # in a model's folder: what the wrapper keeps


class WrapperBase(Choice):
    """What is around a base model while it learns and, where it ``stays``, ever after.

    Attributes:
        freezes: whether the base model's own weights stay as they are.
        distributed: whether several processes can train it.
    """

    freezes: ClassVar[bool] = False
    distributed: ClassVar[bool] = True

    @property
    def sharded(self) -> bool:
        """Whether weights may be shared out over GPUs (FSDP2)."""
        return self.distributed

    @property
    def draws(self) -> bool:
        """Whether it draws numbers at each step (dropout)."""
        return False

    @property
    def stays(self) -> bool:
        """Whether a stored model is not what it is without it."""
        return False

    @property
    def width(self) -> int:
        """Width of what it puts beside each linear map that it reaches, for the count of activations."""
        return 0

    @property
    def passes(self) -> int:
        """Forward passes over the texts of both sides that ``start`` takes, for the cost model."""
        return 0

    def adds(self, anatomy: Anatomy) -> Mapping[str, Shape]:
        """Return the shapes of the parameters that it brings and that move, float32, by name."""
        return {}

    def reaches(self, anatomy: Anatomy) -> Collection[str]:
        """Return the names of the weights whose maps it changes."""
        return ()

    def wrap(self, model: Module) -> Module:
        """Return the model to train; initial values come from torch's global generator."""
        return model

    def start(self, model: Module, forget: Sequence[Example], retain: Sequence[Example]) -> None:
        """Set what learns by the texts to forget and to keep, where they decide: once, before the first step.

        Args:
            model: what ``wrap`` returned, on its device.
        """

    def finish(self, model: Module, folder: Path | None) -> Module:
        """Return the trained model without what was around it, or with that merged in.

        Args:
            folder: where to keep what is put around it again by ``around``, or taken off by ``off``.
        """
        return model

    def around(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Return a stored model as it is meant: with what ``finish`` kept."""
        return model

    def off(self, model: PreTrainedModel, folder: Path) -> PreTrainedModel:
        """Return a stored model as whoever holds the weights can make it: without what the wrapper brought."""
        return model
