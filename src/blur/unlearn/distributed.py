"""Sums over processes, by hand, so that a model needs no wrapper. One process: nothing happens.

An update needs two gradients apart, each summed (not averaged) once over all micro-batches, also where a pass leaves
layers out or a process has nothing to do. DDP's wrapper averages after every backward pass, and waits for parameters
that no pass reached; what it would give is to hide the sum behind the backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

_BUCKET = 1 << 24  # elements of a flat float32 bucket


def is_distributed() -> bool:
    """Say whether a process group of more than one process is up."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank() -> int:
    """Return this process's number."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if is_distributed() else 1


def barrier() -> None:
    """Wait for all processes."""
    if is_distributed():
        dist.barrier()


def sum_values(values: Sequence[float], device: torch.device) -> list[float]:
    """Return each value summed over processes, in float64."""
    if not is_distributed():
        return list(values)
    total = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.tolist()


def gather_value(value: int, device: torch.device) -> list[int]:
    """Return the value of each process."""
    if not is_distributed():
        return [value]
    values = torch.zeros(world_size(), dtype=torch.int64, device=device)
    values[rank()] = value
    dist.all_reduce(values)
    return values.tolist()


def sum_tensor(tensor: Tensor) -> None:
    """Sum a tensor over processes, in place."""
    if is_distributed():
        dist.all_reduce(tensor)


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Sum ``.grad`` over processes, in flat buckets, in float32 at least.

    A parameter with a gradient on some process only (elsewhere the share of the batch was empty) counts as zero on the
    others; one without any stays without.
    """
    if not is_distributed() or not parameters:
        return
    present = torch.tensor([parameter.grad is not None for parameter in parameters], device=parameters[0].device).int()
    dist.all_reduce(present, op=dist.ReduceOp.MAX)
    gradients = []
    for parameter, needed in zip(parameters, present.tolist(), strict=True):
        if needed:
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            gradients.append(parameter.grad)
    for bucket in _buckets(gradients):
        _sum_bucket(bucket)


def _buckets(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    buckets: list[list[Tensor]] = []
    room = 0
    for tensor in tensors:
        if tensor.numel() > room or tensor.dtype != buckets[-1][-1].dtype:
            buckets.append([])
            room = _BUCKET
        buckets[-1].append(tensor)
        room -= tensor.numel()
    return buckets


def _sum_bucket(bucket: list[Tensor]) -> None:
    wide = torch.promote_types(bucket[0].dtype, torch.float32)
    flat = torch.cat([tensor.reshape(-1).to(wide) for tensor in bucket])
    dist.all_reduce(flat)
    for tensor, piece in zip(bucket, flat.split([tensor.numel() for tensor in bucket]), strict=True):
        tensor.copy_(piece.view_as(tensor))
