"""What an optimizer is: hyper-parameters and a way to make the torch object. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from blur.core.choice import Choice
from blur.core.settings import NonNegative, Rate

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


class OptimizerBase(Choice):
    """Moves the weights along the combined gradient.

    Attributes:
        lr: peak learning rate; the schedule multiplies it.
        weight_decay: applied to matrices only, not to biases and norms, as Hugging Face's Trainer does.
    """

    lr: Rate = 1e-5
    weight_decay: NonNegative = 0.0

    def build(self, parameters: Sequence[Parameter]) -> Optimizer:
        """Return the torch optimizer over ``parameters``."""
        raise NotImplementedError

    def groups(self, parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
        """Return torch parameter groups: matrices with weight decay, the rest without."""
        matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
        others = [parameter for parameter in parameters if parameter.ndim < 2]
        parts = ((matrices, self.weight_decay), (others, 0.0))
        return [{"params": part, "weight_decay": decay} for part, decay in parts if part]
