"""A side's gradient at the present weights and near them, complete each time: for ``blur.unlearn.smooth``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from blur.core.hashing import derive_seed
from blur.unlearn import distributed
from blur.unlearn.gradients import Gradients, merge, products
from blur.unlearn.sharding import Trainable, cut

Found = tuple[Tensor, Gradients]


class Near:
    """Takes one side's loss and gradient over a step's batch, at weights that are moved and put back.

    Args:
        gradient: makes all passes; returns this process's part of the loss, and the gradient over all of them.
        key: what noise is a function of, beside a parameter's name: the run's seed, the step and the side.
    """

    def __init__(self, trainable: Trainable, gradient: Callable[[], Found], key: tuple[int | str, ...]) -> None:
        self.trainable, self.gradient, self.key = trainable, gradient, key

    def here(self) -> Found:
        """Return loss and gradient at the present weights."""
        return self.gradient()

    def there(self, direction: Iterable[Tensor | None], length: float) -> Found:
        """Return loss and gradient at theta + ``length`` times ``direction``; the weights are as before, to the bit.

        Args:
            direction: of each share; read once, one by one.
        """
        pairs = zip(self.trainable.shares, direction, strict=True)
        moved = (own.detach() if one is None else own.detach().add(one, alpha=length) for own, one in pairs)
        with self.trainable.at(moved):
            return self.gradient()

    def loss_there(self, direction: Iterable[Tensor | None], length: float) -> float:
        """Return the loss over all processes at theta + ``length`` times ``direction``."""
        loss, _ = self.there(direction, length)
        return distributed.sum_values([float(loss)], self.trainable.shares[0].device)[0]

    def curvature(self, direction: Gradients, step: float) -> Gradients:
        """Return the loss's Hessian times ``direction``, as a central difference: no graph of a backward pass.

        Args:
            step: length of the difference along ``direction``, in units of the weights.
        """
        length = self.norm(direction)
        if not length:
            return type(direction)(None if one is None else torch.zeros_like(one) for one in direction)
        _, ahead = self.there(direction, step / length)
        _, behind = self.there(direction, -step / length)
        return merge(lambda _, back, front: length / (2 * step) * (front - back), behind, ahead)

    def go(self, direction: Iterable[Tensor | None], length: float) -> None:
        """Move the weights by ``length`` times ``direction``, for good."""
        pairs = zip(self.trainable.shares, direction, strict=True)
        self.trainable.move_to(
            own.detach() if one is None else own.detach().add(one, alpha=length) for own, one in pairs
        )

    def noise(self, draw: int) -> Iterator[Tensor]:
        """Yield a draw from N(0, I) for each share, the same on every process, of which each takes its part."""
        moving = self.trainable
        for name, parameter, share in zip(moving.names, moving.parameters, moving.shares, strict=True):
            generator = torch.Generator(share.device).manual_seed(derive_seed("noise", *self.key, draw, name))
            kind = torch.promote_types(share.dtype, torch.float32)
            shape = parameter.shape if moving.masks is None else share.shape
            yield cut(torch.randn(shape, generator=generator, dtype=kind, device=share.device), parameter)

    def norm(self, gradient: Gradients) -> float:
        """Return ||g|| over all that moves."""
        return math.sqrt(products(gradient).sum().item())
