"""Arithmetic on whole sets of gradients: exact inner products and scaled sums, in place and without spare copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from blur.unlearn import distributed
from blur.unlearn.sharding import local

Gradients = list[Tensor | None]


class Shards(Gradients):
    """A set of gradients of which each process holds its own part."""


# Elements per block of a float64 product: two blocks fit a CPU's cache, and few kernels are launched on a GPU.
_BLOCK = {"cpu": 1 << 16, "cuda": 1 << 24}


def take(parameters: Sequence[nn.Parameter]) -> Gradients:
    """Move the gradients out of the parameters, by pointer: no copy is made."""
    gradients: Gradients = [local(parameter.grad) for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return gradients


def put(parameters: Sequence[nn.Parameter], gradients: Gradients) -> None:
    """Move gradients into the parameters, by pointer where they have the same type."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient if gradient is None else gradient.to(parameter.dtype)


def products(*sets: Gradients) -> Tensor:
    """Return the inner products of K sets of gradients, parameter by parameter: float64[P, K, K] on their device.

    Products are formed and summed in float64, so those of float32 or bfloat16 entries are exact; ``torch.dot`` and
    ``torch._foreach_norm`` in float32 are too coarse where two gradients almost cancel. A missing gradient is zero.
    Of ``Shards``, each process sums its own part, and one sum over processes follows.
    """
    present = [tensor for gradients in sets for tensor in gradients if tensor is not None]
    device = present[0].device if present else torch.device("cpu")
    longest = max((tensor.numel() for tensor in present), default=0)
    block = max(min(_BLOCK.get(device.type, 1 << 20), longest), 1)
    rows = torch.empty(len(sets), block, dtype=torch.float64, device=device)
    grams = torch.zeros(len(sets[0]), len(sets), len(sets), dtype=torch.float64, device=device)
    for gram, *tensors in zip(grams, *sets, strict=True):
        flat = [None if tensor is None else tensor.reshape(-1) for tensor in tensors]
        size = max(0 if tensor is None else tensor.numel() for tensor in flat)
        for start in range(0, size, block):
            here = rows[:, : min(block, size - start)]
            for row, tensor in zip(here, flat, strict=True):
                row.zero_() if tensor is None else row.copy_(tensor[start : start + block])
            gram.addmm_(here, here.t())
    if present and isinstance(sets[0], Shards):
        distributed.sum_tensor(grams)
    return grams


def add_scaled(
    target: Gradients, source: Gradients, factors: Sequence[float], tolerance: float, into: Gradients
) -> Gradients:
    """Return ``target + factor * source``, made in the tensors of ``into``, which is one of the two.

    Float32 kernels round a factor to float32. Where that loses more than ``tolerance``, the sum is formed in float64
    and rounded once, entry by entry: adding the lost part in a second float32 pass would round it away again.

    Args:
        factors: one for each tensor.
        tolerance: part of a factor that may be lost.
    """
    kind = next((s.dtype for s in source if s is not None), torch.float32)
    rounded = torch.tensor(factors, dtype=torch.promote_types(kind, torch.float32)).tolist()
    for place, (t, s, factor, coarse) in enumerate(zip(target, source, factors, rounded, strict=True)):
        if s is None:
            into[place] = t if into is target or t is None else t.clone()
            continue
        made, left = into[place], torch.zeros_like(s) if t is None else t
        into[place] = made = left if made is None else made
        if abs(factor - coarse) <= tolerance:
            torch.add(left, s, alpha=factor, out=made)
        else:
            _add_in_double(left, s, factor, made)
    return into


def _add_in_double(target: Tensor, source: Tensor, factor: float, made: Tensor) -> None:
    block = _BLOCK.get(target.device.type, 1 << 20)
    if not made.is_contiguous():
        made.copy_(target.double().add_(source.double(), alpha=factor))
        return
    for m, t, s in zip(*(one.reshape(-1).split(block) for one in (made, target, source)), strict=True):
        m.copy_(t.double().add_(s.double(), alpha=factor))


def merge(rule: Callable[[int, Tensor, Tensor], Tensor], first: Gradients, second: Gradients) -> Gradients:
    """Put ``rule(place, first, second)`` in the place of ``second``: formed in float64, block by block, rounded once.

    Args:
        rule: of a tensor's place and of pieces of both, float64 and of one shape; a missing gradient is zero.
    """
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        known = one if other is None else other
        if known is None:
            continue
        made = second[place] = torch.zeros_like(known) if other is None else other
        given = torch.zeros_like(made) if one is None else one
        if not made.is_contiguous():
            made.copy_(rule(place, given.double(), made.double()))
            continue
        block = _BLOCK.get(made.device.type, 1 << 20)
        for source, target in zip(given.reshape(-1).split(block), made.view(-1).split(block), strict=True):
            target.copy_(rule(place, source.double(), target.double()))
    return second


def inner(first: Gradients, second: Sequence[Tensor]) -> Tensor:
    """Return the inner product of a set of gradients and one of tensors: float64 on their device, as ``products``.

    Of ``Shards``, each process sums its own part, and one sum over processes follows.
    """
    device = second[0].device
    block = _BLOCK.get(device.type, 1 << 20)
    rows = torch.empty(2, min(block, max(map(torch.numel, second))), dtype=torch.float64, device=device)
    total = torch.zeros((), dtype=torch.float64, device=device)
    for one, other in zip(first, second, strict=True):
        if one is None:
            continue
        for x, y in zip(one.reshape(-1).split(block), other.reshape(-1).split(block), strict=True):
            total += torch.dot(rows[0, : len(x)].copy_(x), rows[1, : len(y)].copy_(y))
    if isinstance(first, Shards):
        distributed.sum_tensor(total)
    return total


def scale(gradients: Gradients, factor: float) -> Gradients:
    """Multiply by ``factor`` in place."""
    present = [tensor for tensor in gradients if tensor is not None]
    if present and factor != 1:
        torch._foreach_mul_(present, factor)
    return gradients
