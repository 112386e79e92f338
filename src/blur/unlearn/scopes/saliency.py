"""SURE (Zhang et al., arXiv 2410.16454): only where the forget loss pulls hardest may weights move, and far.

    s_i = || gradient of the forget loss w.r.t. unit i ||  once, over the whole forget stream, at the original weights
    m_i = 1[s_i >= the given percentile of {s_i}],         theta_u = theta_o + m * Delta theta

Faults of the authors' code that this avoids: the mask is computed and never applied; saliency is that of the current
weights at each step; forget gradients count twice. Here the optimizer holds the entries of the mask and no others, so
neither momentum nor weight decay reaches the rest, and BLUR's inner products run over what may move.

The threshold is an order statistic of all units jointly, those of all parameters together, so that the same units are
chosen as by a percentile with linear interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.errors import BlurError, ConfigError
from blur.core.settings import Positive
from blur.unlearn.scopes.base import ScopeBase

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from blur.models.maps import LinearMap
    from blur.unlearn.gradients import Gradients
    from blur.unlearn.sharding import Trainable


class Scope(ScopeBase):
    """Units of the highest saliency.

    Attributes:
        granularity: a unit is a whole parameter ("module" in the paper), an output row of a matrix (a neuron, as in the
            authors' code; of fused experts, an expert's; of a vector, an entry), or a single weight.
        percentile: 90 leaves a tenth of the units.
    """

    sharded: ClassVar[bool] = False
    reads_forget: ClassVar[bool] = True
    name: Literal["saliency"] = "saliency"
    granularity: Literal["tensor", "row", "element"] = "tensor"
    percentile: Positive = Field(90.0, le=100)

    def narrow(self, trainable: Trainable, model: Module, forget_gradient: Callable[[], Gradients]) -> Trainable:
        """Keep the salient units.

        Raises:
            ConfigError: fewer units than asked for have a gradient at all.
            BlurError: the gradient is not finite.
        """
        from torch import cat, zeros_like

        from blur.models.maps import linear_maps

        gradients = forget_gradient()
        names, pairs = trainable.names, zip(gradients, trainable.parameters, strict=True)
        filled = [zeros_like(parameter) if gradient is None else gradient for gradient, parameter in pairs]
        fused = {one.name: one for one in linear_maps(model) if one.is_fused}
        scores = [
            self._scores(fused[name].stacked(one).flatten(0, 1) if name in fused else one, _out(model, name))
            for name, one in zip(names, filled, strict=True)
        ]
        threshold = kth(scores, math.ceil(self.percentile * (sum(map(len, scores)) - 1) / 100))
        _check(names, cat([score.amax().reshape(1) for score in scores]), threshold)
        rows = zip(names, scores, trainable.parameters, strict=True)
        masks = [
            self._experts(score >= threshold, fused[name])
            if name in fused
            else self._mask(score >= threshold, one, _out(model, name))
            for name, score, one in rows
        ]
        return trainable.narrowed(masks)

    def _scores(self, gradient: Tensor, out: int) -> Tensor:
        """Return the norm of each unit as a vector, float32 at least."""
        precise = gradient if gradient.element_size() == 8 else gradient.float()
        if self.granularity == "tensor":
            return precise.norm().reshape(1)
        if self.granularity == "element" or precise.ndim == 1:
            return precise.abs().flatten()
        return precise.movedim(out, 0).flatten(1).norm(dim=1)

    def _mask(self, chosen: Tensor, parameter: Tensor, out: int) -> Tensor:
        """Return which entries of a parameter move: of its shape, or of its first dimension."""
        if self.granularity == "element":
            return chosen.reshape(parameter.shape)
        if self.granularity == "tensor":
            return chosen.expand(len(parameter))
        return chosen if out == 0 else chosen.expand(parameter.shape)

    def _experts(self, chosen: Tensor, one: LinearMap) -> Tensor:
        """Return which entries of fused experts move: a row is an output of one expert."""
        experts, out, inputs = one.stack.shape
        units = {"tensor": (1, 1, 1), "row": (experts, out, 1), "element": (experts, out, inputs)}
        return one.stored(chosen.reshape(units[self.granularity]).expand(experts, out, inputs))


def _out(model: Module, name: str) -> int:
    """Return the dimension of outputs: the first, but for GPT-2's Conv1D, whose weights lie as [in, out]."""
    from transformers.pytorch_utils import Conv1D

    path, _, kind = name.rpartition(".")
    return int(kind == "weight" and isinstance(model.get_submodule(path), Conv1D))


def kth(scores: Sequence[Tensor], place: int) -> Tensor:
    """Return the entry at ``place`` (from 0) of all entries in rising order, without a sorted copy of them.

    Floats that are not negative rise as their bits do, so halving the range of bits comes down to the value.
    """
    from torch import int32, int64, tensor

    kind = int64 if scores[0].element_size() == 8 else int32
    bits = [score.view(kind) for score in scores]
    low, high = 0, max(int(one.max()) for one in bits)
    while low < high:
        middle = (low + high) // 2
        if sum(int((one <= middle).sum()) for one in bits) > place:
            high = middle
        else:
            low = middle + 1
    return tensor(low, dtype=kind, device=scores[0].device).view(scores[0].dtype)


def _check(names: Sequence[str], largest: Tensor, threshold: Tensor) -> None:
    bad = [name for name, finite in zip(names, largest.isfinite().tolist(), strict=True) if not finite]
    if bad:
        raise BlurError(f"the forget gradient of {bad[0]} is not finite at the original weights", where="scope")
    if threshold == 0:
        raise ConfigError(
            "most units have no gradient from the forget loss, so that the percentile leaves out none",
            where="scope.percentile",
            remedy="Raise it, or choose a coarser granularity",
        )
