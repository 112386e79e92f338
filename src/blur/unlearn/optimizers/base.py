"""What an optimizer is: hyper-parameters, what it keeps, and how it moves the weights. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from blur.core.choice import Choice
from blur.core.settings import BelowOne, NonNegative, Rate
from blur.unlearn.losses.base import LossBase

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter
    from torch.optim import Optimizer

State = dict[str, Any]
GradientOf = Callable[[LossBase], tuple[list["Tensor | None"], int]]
"""Gives the gradient of a loss as a mean over the units (tokens, say) of a step's batch, and their number."""


class OptimizerBase(Choice):
    """Moves the weights along the combined gradient.

    One of torch's is made in ``build``. One of the project's own writes its rule in ``move`` instead.

    Attributes:
        lr: peak learning rate; the schedule multiplies it.
        weight_decay: applied to matrices only, not to biases and norms, as Hugging Face's Trainer does.
    """

    lr: Rate = 1e-5
    weight_decay: NonNegative = 0.0

    @property
    def beta1(self) -> float:
        """Decay rate of the first moment; 0: there is none."""
        return 0.0

    @property
    def states(self) -> int:
        """Number of tensors kept from step to step for each parameter."""
        raise NotImplementedError

    @property
    def own_loss(self) -> LossBase | None:
        """The loss whose gradient ``observe`` asks for; None where it asks for none."""
        return None

    @property
    def asks(self) -> float:
        """Share of the steps before which it asks for one."""
        return 0.0

    def without_first_moment(self) -> Self:
        """Return the same optimizer at beta1 = 0."""
        raise NotImplementedError

    def build(self, parameters: Sequence[Parameter]) -> Optimizer:
        """Return the torch optimizer over ``parameters``: by default one that steps by ``move``."""
        from blur.unlearn.stepper import Stepper

        return Stepper(self.groups(parameters), self)

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[State],
        lr: float,
        weight_decay: float,
    ) -> None:
        """Move parameters by one step, in place.

        Args:
            states: what is kept of each, empty before its first step; tensors in it are checkpointed and sharded.
        """
        raise NotImplementedError

    def observe(
        self, step: int, parameters: Sequence[Tensor], states: Sequence[State], gradient_of: GradientOf
    ) -> None:
        """Look at the weights before a step is made, through the gradient of a loss of the optimizer's own.

        Args:
            step: the step's number, from 1.
            states: what is kept of each parameter, as in ``move``.
            gradient_of: gives a gradient that is complete over micro-batches and processes. Every process has to call
                it at the same steps.
        """

    def groups(self, parameters: Sequence[Parameter]) -> list[dict[str, Any]]:
        """Return torch parameter groups: matrices with weight decay, the rest without."""
        matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
        others = [parameter for parameter in parameters if parameter.ndim < 2]
        parts = ((matrices, self.weight_decay), (others, 0.0))
        return [{"params": part, "weight_decay": decay} for part, decay in parts if part]


class TwoMoments(OptimizerBase):
    """An optimizer with a first moment, kept where beta1 is above 0, and a second one.

    Attributes:
        betas: decay rates of the two.
    """

    betas: tuple[BelowOne, BelowOne]

    @property
    def beta1(self) -> float:
        """Decay rate of the first moment."""
        return self.betas[0]

    @property
    def states(self) -> int:
        """Two moments, or the second one alone."""
        return 1 + (self.beta1 > 0)

    def without_first_moment(self) -> Self:
        """Return the same at beta1 = 0."""
        return self.model_copy(update={"betas": (0.0, self.betas[1])})
