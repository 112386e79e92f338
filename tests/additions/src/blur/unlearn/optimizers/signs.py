"""Steps of one length: against the sign of the gradient (signSGD)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from blur.unlearn.optimizers.base import OptimizerBase

if TYPE_CHECKING:
    from torch import Tensor


class Optimizer(OptimizerBase):
    """theta <- theta - lr sign(u)."""

    name: Literal["signs"] = "signs"

    @property
    def states(self) -> int:
        """Nothing is kept."""
        return 0

    def without_first_moment(self) -> Self:
        """It has none."""
        return self

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[dict[str, Any]],
        lr: float,
        weight_decay: float,
    ) -> None:
        """Move each entry by ``lr``."""
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient.sign(), alpha=lr)
