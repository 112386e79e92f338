"""Stochastic gradient descent: the optimizer of BLUR's theory (Theorem 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from blur.core.settings import BelowOne
from blur.unlearn.optimizers.base import OptimizerBase

if TYPE_CHECKING:
    import torch
    from torch.nn import Parameter


class Optimizer(OptimizerBase):
    """theta <- theta - lr u, with momentum if asked for."""

    name: Literal["sgd"] = "sgd"
    momentum: BelowOne = 0.0

    @property
    def beta1(self) -> float:
        """Decay rate of the momentum."""
        return self.momentum

    @property
    def states(self) -> int:
        """The momentum, where there is one."""
        return int(self.momentum > 0)

    def without_first_moment(self) -> Self:
        """Return the same without momentum."""
        return self.model_copy(update={"momentum": 0.0})

    def build(self, parameters: Sequence[Parameter]) -> torch.optim.Optimizer:
        """Return ``torch.optim.SGD``."""
        from torch.optim import SGD

        # torch 2.13's fused kernel reads a bfloat16 momentum on a CPU before anything was written there
        fused = not self.momentum or all(parameter.element_size() >= 4 for parameter in parameters)
        return SGD(self.groups(parameters), lr=self.lr, momentum=self.momentum, fused=fused)
