"""From two complete gradients to a step: the update, clipped, the optimizer along it, and what is kept for the next."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from types import MappingProxyType
from typing import Any

from torch.optim import Optimizer

from blur.unlearn.combine.base import Combination, Seen, Statistics
from blur.unlearn.gradients import Gradients, put, scale, take
from blur.unlearn.momentum import RetainMoment
from blur.unlearn.near import Near
from blur.unlearn.sharding import Trainable
from blur.unlearn.smooth.base import Side


class Movement:
    """Moves weights along what a combination makes of a forget and a retain gradient.

    Args:
        optimizers: over the shares of ``trainable``, one for each of the combination's ``rates``.
        beta1: decay rate of the retain gradient's moment, for a combination that keeps it.
        max_grad_norm: the longest update; a longer one is shortened to it.

    Attributes:
        numbers: what the combination keeps of the run.
    """

    def __init__(
        self,
        trainable: Trainable,
        combine: Combination,
        optimizers: Sequence[Optimizer],
        beta1: float,
        max_grad_norm: float | None,
    ) -> None:
        self.trainable, self.settings, self.optimizers = trainable, combine, optimizers
        self.moment = RetainMoment(trainable.shares, beta1)
        self.max_grad_norm = max_grad_norm
        self.numbers: dict[str, float] = {}

    def kept(self, states: MutableMapping[Any, dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what is kept of each share."""
        return [states[share] for share in self.trainable.shares]

    @property
    def states(self) -> Mapping[str, MutableMapping[Any, dict[str, Any]]]:
        """What is kept from step to step of each share of the parameters, by who keeps it."""
        optimizers = {f"optimizer{number or ''}": one.state for number, one in enumerate(self.optimizers)}
        return {**optimizers, "combine": self.moment.state}

    def remembered(self, g_r: Gradients, step: int) -> Gradients:
        """Return the retain gradient; its momentum in its place, where the combination keeps that."""
        return self.moment.of(g_r, step) if self.settings.momentum == "retain" else g_r

    def combine(
        self,
        g_f: Gradients,
        g_r: Gradients,
        step: int,
        losses: Sequence[float],
        topics: int = 1,
        near: Mapping[Side, Near] = MappingProxyType({}),
    ) -> tuple[list[Gradients], Statistics]:
        """Return what each of the optimizer's steps goes along, and its geometry; g_f stays, g_r is used up.

        Args:
            step: the step's number, from 1.
            losses: forget and retain loss over the global batch.
            near: takes each side's loss and gradient elsewhere, for a combination that asks for it.

        Raises:
            NonFiniteGradient: a gradient holds NaN or infinity.
        """
        shares, kept = [share.detach() for share in self.trainable.shares], self.kept(self.moment.state)
        forget, retain = losses
        seen = Seen(self.trainable.names, shares, kept, self.numbers, step, forget, retain, topics, near)
        return self.settings.moves(g_f, g_r, seen)

    def clipping(self, statistics: Statistics) -> float:
        """Return what clipping multiplies the update by."""
        limit, norm = self.max_grad_norm, statistics.update_norm or 0.0
        return limit / norm if limit is not None and norm > limit else 1.0

    def apply(self, updates: Sequence[Gradients], statistics: Statistics, lr: float | None = None) -> None:
        """Step along the updates, clipped together.

        Args:
            lr: the learning rate of this step; by default what the optimizers' groups say.
        """
        clipping, rates = self.clipping(statistics), self.settings.rates
        for optimizer, update, rate in zip(self.optimizers, updates, rates, strict=True):
            scale(update, clipping)
            if lr is not None:
                for group in optimizer.param_groups:
                    group["lr"] = lr * rate
            put(self.trainable.shares, update)
            optimizer.step()
            take(self.trainable.shares)
        self.trainable.publish()
