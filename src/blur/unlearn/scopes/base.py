"""What a scope is: it chooses the weights that may move, and gives the plain model back. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from blur.core.choice import Choice

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.unlearn.sharding import Trainable
    from blur.unlearn.step import Updater


class ScopeBase(Choice):
    """Which weights may move.

    Attributes:
        sharded: whether weights may be shared out over GPUs (FSDP2); if not, a job uses one GPU of those it is given.
    """

    sharded: ClassVar[bool] = True

    def apply(self, model: Module) -> Module:
        """Set ``requires_grad`` on the model's parameters, or wrap it; return the model to train."""
        raise NotImplementedError

    def reached(self, model: Module) -> set[str]:
        """Return the names of a plain model's weights that the scope reaches, before ``narrow``."""
        return {name for name, parameter in self.apply(model).named_parameters() if parameter.requires_grad}

    def narrow(self, trainable: Trainable, updater: Updater) -> Trainable:
        """Return what may move of the parameters that ``apply`` left trainable, at the original weights.

        Args:
            updater: gives the gradient of the forget loss.
        """
        return trainable

    def finish(self, model: Module, adapter: Path | None) -> Module:
        """Return the trained model in its plain form; write what was wrapped around it to ``adapter``."""
        return model
