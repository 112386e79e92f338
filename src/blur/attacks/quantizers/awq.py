"""AWQ (Lin et al., arXiv 2306.00978): input channels with large activations are scaled up before rounding.

torchao searches s = mean|x|^a over a in {0, 0.05 .. 0.95} for the smallest error of the layer's output; the weight
becomes Q(W s) / s, which is what Q(W s) computes on inputs x / s. The 4-bit groups are asymmetric. Each layer has an s
of its own, where the authors share one between layers with the same input: the rounding is as good or better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from blur.attacks.quantizers.base import QuantizerBase, cannot_import
from blur.core.settings import Count

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from blur.models.encode import Example
    from blur.models.maps import LinearMap


class Quantizer(QuantizerBase):
    """4 bits; the linear layers of the decoder layers.

    Attributes:
        group_size: the last group of a row may be shorter.
    """

    name: Literal["awq"] = "awq"
    group_size: Count = 128

    def unavailable(self) -> str | None:
        """Say whether torchao is there, with AWQ among its prototypes."""
        return cannot_import("torchao.prototype.awq", "torchao")

    def covers(self, model: PreTrainedModel) -> list[LinearMap]:
        """Return the linear layers of the decoder layers; fused experts are left as they are."""
        from blur.attacks.calibration import solvable

        return solvable(model)

    def convert(self, model: PreTrainedModel, calibration: Sequence[Example]) -> None:
        """Search layer by layer."""
        from blur.attacks.calibration import quantize_by_layer

        quantize_by_layer(model, calibration, lambda matrix: _Solver(matrix, self.group_size), f"quantizer {self.name}")


class _Solver:
    def __init__(self, matrix: Tensor, group_size: int) -> None:
        from torchao.prototype.awq.core import AWQObserver

        from blur.attacks.linears import padded
        from blur.attacks.quantizers.torchao import int4

        self.columns, self.group_size, self.config = matrix.shape[1], group_size, int4(group_size, symmetric=False)
        self.weight = padded(matrix, group_size)
        self.observer: Any = AWQObserver(self.weight, None, self.config)

    def observe(self, inputs: Tensor) -> None:
        from blur.attacks.linears import padded

        self.observer(padded(inputs, self.group_size), None)

    def solve(self) -> Tensor:
        from torch import nn
        from torchao.quantization import quantize_

        scale = self.observer.calculate_qparams()
        layer = nn.Linear(self.weight.shape[1], self.weight.shape[0], bias=False, device="meta")
        layer.weight = nn.Parameter(self.weight * scale, requires_grad=False)
        quantize_(layer, self.config)
        made: Any = layer.weight
        return (made.dequantize() / scale)[:, : self.columns]
