"""What all measurements share: batches of texts of like length, and a model that is left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

Progress = Callable[[int, int, str], None]


def buckets(lengths: Sequence[int], max_batch_tokens: int) -> list[list[int]]:
    """Group indices so that (longest in group) x (size of group) <= ``max_batch_tokens``, with little padding.

    The longest come first, so that a batch that does not fit in memory fails at once. A text longer than
    ``max_batch_tokens`` is a batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= max_batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


@contextmanager
def evaluation_mode(model: nn.Module, parameters_require_grad: bool = False) -> Iterator[None]:
    """Switch dropout off and set ``requires_grad`` of all parameters; restore both for each module and parameter."""
    training = [(module, module.training) for module in model.modules()]
    wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _ in wanted:
            parameter.requires_grad_(parameters_require_grad and parameter.is_floating_point())
        yield
    finally:
        for module, flag in training:
            module.training = flag
        for parameter, flag in wanted:
            parameter.requires_grad_(flag)
