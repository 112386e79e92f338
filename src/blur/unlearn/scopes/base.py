"""What a scope is: it chooses which of a model's weights may move. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, ClassVar

from blur.core.choice import Choice
from blur.models.anatomy import Anatomy, Built

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.unlearn.gradients import Gradients
    from blur.unlearn.sharding import Trainable


class ScopeBase(Choice):
    """Which weights may move.

    Attributes:
        sharded: whether weights may be shared out over GPUs (FSDP2); if not, a job uses one GPU of those it is given.
        reads_forget: whether it is chosen by the gradient of the forget loss.
    """

    sharded: ClassVar[bool] = True
    reads_forget: ClassVar[bool] = False

    def moves(self, anatomy: Anatomy) -> Collection[str]:
        """Return the names of the parameters that may move, before ``narrow``.

        Raises:
            ConfigError: the model has no such part.
        """
        return anatomy.shapes.keys()

    def apply(self, model: Module) -> None:
        """Mark those parameters of ``model`` trainable, and freeze the rest."""
        chosen = self.moves(Built(model))
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in chosen)

    def narrow(self, trainable: Trainable, model: Module, forget_gradient: Callable[[], Gradients]) -> Trainable:
        """Return what may move of the parameters that ``apply`` left trainable, at the original weights.

        Args:
            forget_gradient: returns the gradient of the forget loss over the whole of its streams.
        """
        return trainable
