"""FSDP2: each process holds a part of every weight, gradient and moment; layers are put together while they compute.

All arithmetic on gradients and all steps of the optimizer work on the parts as plain tensors (``Trainable``); what
needs them all is a sum over processes. Whole tensors exist only one layer at a time, and where the first process writes
a checkpoint, measures or saves (``whole``).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from blur.models.hidden import decoder_layers
from blur.unlearn import distributed


@dataclass(frozen=True)
class Trainable:
    """The parameters that move.

    Attributes:
        names: their names in the model.
        parameters: as the model has them.
        parts: what of each this process holds, in the same memory; all of it where not sharded.
        shares: what the optimizer moves: the parts, or float32 copies of them, or copies of some of their entries.
        masks: where only some entries of a part move, which ones: bool, of the part's shape or of its first dimension.
            Gradients and moments then exist for these entries alone, so that nothing can move the others.
    """

    names: list[str]
    parameters: list[nn.Parameter]
    parts: list[nn.Parameter]
    shares: list[nn.Parameter]
    masks: list[Tensor] | None = None

    @classmethod
    def of(cls, model: nn.Module, master_weights: bool = False) -> Trainable:
        """Return the parameters of ``model`` that require a gradient."""
        found = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        parameters = [parameter for _, parameter in found]
        parts = [part_of(parameter) for parameter in parameters]
        shares = [_master(part) for part in parts] if master_weights else parts
        return cls([name for name, _ in found], parameters, parts, shares)

    def narrowed(self, masks: Sequence[Tensor]) -> Trainable:
        """Return those entries alone, one mask a parameter; a parameter without any is frozen."""
        rows = zip(self.names, self.parameters, self.parts, self.shares, masks, strict=True)
        kept = [row for row in rows if row[1].requires_grad_(bool(row[4].any())).requires_grad]
        names, parameters, parts, shares, chosen = (list(column) for column in zip(*kept, strict=True))
        packed = [nn.Parameter(_packed(share.detach(), mask)) for share, mask in zip(shares, chosen, strict=True)]
        return Trainable(names, parameters, parts, packed, chosen)

    def pack(self, gradients: list[Tensor | None]) -> list[Tensor | None]:
        """Return what gradients of the parameters are for the shares: of the entries that may move, where masked."""
        if self.masks is None:
            return gradients
        pairs = zip(gradients, self.masks, strict=True)
        return [None if gradient is None else _packed(gradient, mask) for gradient, mask in pairs]

    @property
    def identity(self) -> list[str]:
        """Names of the parameters, and hashes of the masks where there are some."""
        if self.masks is None:
            return self.names
        digests = (sha256(mask.cpu().numpy().tobytes()).hexdigest() for mask in self.masks)
        return [f"{name} {digest}" for name, digest in zip(self.names, digests, strict=True)]

    @contextmanager
    def at(self, values: Iterable[Tensor]) -> Iterator[None]:
        """Have other weights, one for each share, for the block's duration; then those of before, to the bit."""
        before = [share.detach().clone() for share in self.shares]
        self.move_to(values)
        try:
            yield
        finally:
            self.move_to(before)

    @torch.no_grad()
    def move_to(self, values: Iterable[Tensor]) -> None:
        """Put other weights, one for each share, into the shares and the model."""
        for share, value in zip(self.shares, values, strict=True):
            share.copy_(value)
        self.publish()

    @torch.no_grad()
    def publish(self) -> None:
        """Round what the optimizer moved into the model, where it moved copies."""
        if self.masks is not None:
            for part, own, mask in zip(self.parts, self.shares, self.masks, strict=True):
                part[mask] = own.reshape(-1, *part.shape[mask.ndim :]).to(part.dtype)
            return
        pairs = [(part, own) for part, own in zip(self.parts, self.shares, strict=True) if own is not part]
        if pairs:
            torch._foreach_copy_([part for part, _ in pairs], [own for _, own in pairs])


def _packed(tensor: Tensor, mask: Tensor) -> Tensor:
    """Return the chosen entries; those of a matrix as a matrix, since its weight decay follows from that."""
    chosen = tensor[mask]
    return chosen if chosen.ndim == tensor.ndim else chosen.reshape(-1, *[1] * (tensor.ndim - 1))


def shard(model: nn.Module, device: torch.device) -> None:
    """Share ``model`` out over all processes, in place: each decoder layer on its own, and the rest.

    Gradients become sums over processes (FSDP2's own choice is the mean), in float32 at least. Nothing stays whole
    between two passes, so that no pass sees weights of before an optimizer's step.
    """
    mesh = init_device_mesh(device.type, (distributed.world_size(),))
    dtype = next(model.parameters()).dtype
    wide = torch.promote_types(dtype, torch.float32)
    policy = MixedPrecisionPolicy(reduce_dtype=None if wide == dtype else wide)
    for module in (*decoder_layers(model), model):
        fully_shard(module, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    _run_once(model, device)


def _run_once(model: nn.Module, device: torch.device) -> None:
    """Make a pass through the whole model, in which FSDP2 settles which modules there are: later ones are partial."""
    training = model.training
    with torch.no_grad():
        token = torch.zeros(1, 1, dtype=torch.int64, device=device)
        model.eval()(input_ids=token, attention_mask=torch.ones_like(token), use_cache=False)
    model.train(training)


def _master(part: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(part.detach().float()) if part.element_size() < 4 else part


def part_of(parameter: nn.Parameter) -> nn.Parameter:
    """Return the part of a parameter that this process holds, in the same memory; itself where not sharded."""
    if not isinstance(parameter, DTensor):
        return parameter
    return nn.Parameter(local(parameter.detach()), requires_grad=parameter.requires_grad)


@overload
def local(tensor: Tensor) -> Tensor: ...
@overload
def local(tensor: None) -> None: ...
def local(tensor: Tensor | None) -> Tensor | None:
    """Return the part of a tensor that this process holds, in the same memory; itself where not sharded."""
    if not isinstance(tensor, DTensor):
        return tensor
    with torch.no_grad():
        return tensor.to_local()


def whole(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a parameter's data or moment put together from all processes' parts; itself where not sharded.

    Every process has to call it.

    Args:
        tensor: of the shape of the parameter's share; any other (a count of steps) is returned as it is.
    """
    if not isinstance(parameter, DTensor) or tensor.ndim != parameter.ndim:
        return tensor
    mesh, places = parameter.device_mesh, parameter.placements
    made = DTensor.from_local(tensor, mesh, places, run_check=False, shape=parameter.shape, stride=parameter.stride())
    return made.full_tensor()


def cut(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return this process's part of a whole tensor: ``whole`` backwards."""
    if not isinstance(parameter, DTensor) or tensor.ndim != parameter.ndim:
        return tensor
    parts = tensor.chunk(distributed.world_size())
    own = distributed.rank()
    return parts[own] if own < len(parts) else tensor[:0]


class Blueprint:
    """A model without weights, to be filled on the first process with those of the sharded model."""

    def __init__(self, model: nn.Module) -> None:
        """Copy all of ``model`` but its parameters, before it is sharded."""
        self._blanks = {
            name: nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
            for name, parameter in model.named_parameters()
        }
        memo: dict[int, Any] = {id(p): self._blanks[name] for name, p in model.named_parameters()}
        self._model = copy.deepcopy(model, memo)

    def filled(self, model: nn.Module) -> nn.Module:
        """Return the whole model in evaluation mode on the first process; ``model``, in parts, on the others.

        Every process has to call it. Tied weights stay tied.
        """
        memo: dict[int, Any] = {}
        for name, parameter in model.named_parameters():
            full = whole(local(parameter.detach()), parameter)
            if distributed.rank() == 0:
                blank = self._blanks[name]
                memo[id(blank)] = nn.Parameter(full, blank.requires_grad)
        if distributed.rank() > 0:
            return model.eval()
        device = next(model.parameters()).device
        return copy.deepcopy(self._model, memo).to(device).eval()
