"""The torch side of an optimizer of the project's own: groups, rates and states; the rule is the settings' ``move``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

if TYPE_CHECKING:
    from blur.unlearn.optimizers.base import OptimizerBase


class Stepper(Optimizer):
    """Steps by ``rule.move``; parameters without a gradient stay where they are."""

    def __init__(self, groups: Sequence[dict[str, Any]], rule: OptimizerBase) -> None:
        super().__init__(groups, {"lr": rule.lr})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make one step."""
        for group in self.param_groups:
            moving = [parameter for parameter in group["params"] if parameter.grad is not None]
            gradients, states = [one.grad for one in moving], [self.state[one] for one in moving]
            self.rule.move(moving, gradients, states, group["lr"], group["weight_decay"])
