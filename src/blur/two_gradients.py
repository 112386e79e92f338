"""BLUR's step in a loop of one's own: two losses in, one step out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from blur.core.choice import build
from blur.core.errors import BlurError, ConfigError
from blur.unlearn.combine.base import Combination, Statistics
from blur.unlearn.gradients import Gradients, put, take
from blur.unlearn.movement import Movement
from blur.unlearn.optimizers.base import OptimizerBase
from blur.unlearn.sharding import Trainable

COMBINE, OPTIMIZERS = "blur.unlearn.combine", "blur.unlearn.optimizers"


class TwoGradients(Optimizer):
    """An optimizer that is given a forget and a retain loss, and steps along one update of their two gradients.

    ::

        optimizer = blur.TwoGradients(model, optimizer={"name": "adamw", "lr": 1e-5}, combine="bilevel")
        for forget, keep in batches:
            optimizer.step(forget_loss(model, forget), retain_loss(model, keep))

    With several micro-batches, ``backward`` takes the losses of each and ``step()`` follows: the two gradients are
    complete before they are combined. Losses of micro-batches add up, as in torch: each is its part of the batch's mean
    (``total`` of ``blur.losses``). The step is the training loop's own code, and where losses and batches are the same,
    so are the weights.

    The learning rate may be scheduled, as that of any optimizer of torch. A model that is told apart from itself as it
    was (``npo``, ``kl``) is to be in evaluation mode, or its dropout counts as a difference.

    Args:
        parameters: a model, or its parameters; those that ask for no gradient stay where they are.
        optimizer: one of the project's by name or with its settings (``{"name": "adamw", "lr": 1e-5}``), or one of
            torch over the same parameters.
        combine: a file of ``blur.unlearn.combine``, by name or with its settings (``{"name": "bilevel", "gamma": 2}``).
        max_grad_norm: the longest update; a longer one is shortened to it.

    Attributes:
        statistics: geometry of the last step: norms and cosine of the two gradients, xi.
        num_steps: steps that were made.

    Raises:
        ValueError: there is no such optimizer or combination, or no such setting.
        ConfigError: the combination asks for more than the optimizer gives.
    """

    def __init__(
        self,
        parameters: nn.Module | Iterable[nn.Parameter],
        optimizer: str | Mapping[str, Any] | OptimizerBase | Optimizer = "adamw",
        combine: str | Mapping[str, Any] | Combination = "bilevel",
        *,
        max_grad_norm: float | None = None,
    ) -> None:
        combination: Any = build(COMBINE, "Combine", _settings(combine))
        self._trainable = _trainable(parameters)
        optimizers, beta1 = _optimizers(optimizer, combination, self._trainable)
        self._movement = Movement(self._trainable, combination, optimizers, beta1, max_grad_norm)
        self._gradients: list[Gradients] = [[], []]
        self._losses = [0.0, 0.0]
        self.statistics, self.num_steps = Statistics(), 0
        super().__init__(self._trainable.shares, {})
        # The groups are those of the optimizers inside, so that a schedule of the learning rate reaches them.
        self.param_groups = [group for one in optimizers for group in one.param_groups]
        self.state = optimizers[0].state

    def backward(self, forget_loss: Tensor | None = None, retain_loss: Tensor | None = None) -> None:
        """Add the gradients of a micro-batch's losses to those of the step to come; either loss may be absent."""
        for side, loss in enumerate((forget_loss, retain_loss)):
            if loss is None:
                continue
            if self._gradients[side]:
                put(self._trainable.parameters, self._gradients[side])
            loss.backward()
            self._gradients[side] = take(self._trainable.parameters)
            self._losses[side] += float(loss.detach())

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, forget_loss: Tensor | None = None, retain_loss: Tensor | None = None
    ) -> Statistics:
        """Make one step along the update of both gradients, after ``backward`` of what is given; return its geometry.

        Raises:
            BlurError: there was no forget or no retain loss; or a gradient is not finite. The weights stay as they are.
        """
        with torch.enable_grad():
            self.backward(forget_loss, retain_loss)
        gradients, losses = self._gradients, self._losses
        self.zero_grad()
        for side, gradient in zip(("forget", "retain"), gradients, strict=True):
            if not gradient:
                raise BlurError(f"no {side} loss since the last step", "TwoGradients", "Hand both to `step`")
        g_f, g_r = gradients
        made = self.num_steps + 1
        updates, statistics = self._movement.combine(g_f, self._movement.remembered(g_r, made), made, losses)
        self._movement.apply(updates, statistics)
        self.statistics, self.num_steps = statistics, made
        return statistics

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop what ``backward`` has gathered since the last step."""
        self._gradients, self._losses = [[], []], [0.0, 0.0]
        take(self._trainable.parameters)

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept from step to step: the optimizers' states and the combination's."""
        movement = self._movement
        return {
            "optimizers": [one.state_dict() for one in movement.optimizers],
            "combine": [dict(kept) for kept in movement.kept(movement.moment.state)],
            "numbers": dict(movement.numbers),
            "steps": self.num_steps,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` gave, with the same parameters, optimizer and combination."""
        movement = self._movement
        for one, state in zip(movement.optimizers, state_dict["optimizers"], strict=True):
            one.load_state_dict(state)
        self.param_groups = [group for one in movement.optimizers for group in one.param_groups]
        self.state = movement.optimizers[0].state
        for share, kept in zip(self._trainable.shares, state_dict["combine"], strict=True):
            movement.moment.state[share].update({name: _own(value, share) for name, value in kept.items()})
        movement.numbers.update(state_dict["numbers"])
        self.num_steps = state_dict["steps"]


def _settings(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _own(value: Any, share: Tensor) -> Any:
    return value.to(share.device).clone() if isinstance(value, Tensor) else value


def _trainable(parameters: nn.Module | Iterable[nn.Parameter]) -> Trainable:
    if isinstance(parameters, nn.Module):
        return Trainable.of(parameters)
    moving = [parameter for parameter in parameters if parameter.requires_grad]
    return Trainable([str(place) for place in range(len(moving))], moving, moving, moving)


def _optimizers(given: Any, combine: Combination, trainable: Trainable) -> tuple[list[Optimizer], float]:
    """Return an optimizer for each of the combination's steps, and the decay rate of a retain gradient's moment."""
    if combine.passes("forget") or combine.passes("retain"):
        what = f"{combine.name!r} as it is set takes losses at other weights, which only the training loop can"
        raise ConfigError(what, "TwoGradients", "Name another, or train with `blur.unlearn.loop.train`")
    if isinstance(given, Optimizer):
        if combine.momentum != "update" or len(combine.rates) > 1:
            what = f"{combine.name!r} as it is set chooses the moments, which this optimizer of torch has fixed"
            raise ConfigError(what, "TwoGradients", 'Name ours: optimizer={"name": "adamw", "lr": 1e-5}')
        return [given], 0.0
    made: Any = build(OPTIMIZERS, "Optimizer", _settings(given))
    if made.own_loss is not None:
        what = f"{made.name!r} takes the gradient of a loss of its own, which only the training loop can"
        raise ConfigError(what, "TwoGradients", "Name another, or train with `blur.unlearn.loop.train`")
    stepper = made if combine.momentum == "update" else made.without_first_moment()
    optimizers = [stepper.build(trainable.shares) for _ in combine.rates]
    for one, rate in zip(optimizers, combine.rates, strict=True):
        for group in one.param_groups:
            group["lr"] = made.lr * rate
    return optimizers, made.beta1
