"""Weight-only integers of torchao, symmetric: int8 by output channel, int4 by group of input channels.

torchao's own ``Int4WeightOnlyConfig`` needs a GPU and the mslk kernels. ``IntxWeightOnlyConfig`` has an int4 as well,
held in bytes, on any device: slower, and all that an attack needs. Against ``rtn``, the scale is max|w| / 7.5 and
max|w| / 127.5, so that the largest weight is clamped by half a step only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from blur.attacks.quantizers.base import WeightQuantizer, cannot_import
from blur.core.settings import Count

if TYPE_CHECKING:
    from torch import Tensor


class Quantizer(WeightQuantizer):
    """A type of torchao.

    Attributes:
        group_size: used by int4; the last group of a row may be shorter.
    """

    name: Literal["torchao"] = "torchao"
    type: Literal["int8", "int4"] = "int4"
    group_size: Count = 128

    def unavailable(self) -> str | None:
        """Say whether torchao is there."""
        return cannot_import("torchao.quantization", "torchao")

    def encode(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes (int8) and values, [out, in]."""
        from torch import nn
        from torchao.quantization import quantize_

        from blur.attacks.linears import padded

        whole = padded(matrix, self.group_size) if self.type == "int4" else matrix
        layer = nn.Linear(whole.shape[1], whole.shape[0], bias=False, device="meta")
        layer.weight = nn.Parameter(whole.contiguous(), requires_grad=False)
        quantize_(layer, int4(self.group_size) if self.type == "int4" else _int8())
        made: Any = layer.weight
        columns = matrix.shape[1]
        return made.qdata[:, :columns], made.dequantize()[:, :columns]


def int4(group_size: int, symmetric: bool = True) -> Any:
    """Return torchao's settings for 4-bit groups; asymmetric ones have a zero point each."""
    import torch
    from torchao.quantization import IntxWeightOnlyConfig, PerGroup
    from torchao.quantization.quant_primitives import MappingType

    kind = torch.int4  # type: ignore[attr-defined]
    mapping = MappingType.SYMMETRIC if symmetric else MappingType.ASYMMETRIC
    return IntxWeightOnlyConfig(weight_dtype=kind, granularity=PerGroup(group_size), mapping_type=mapping)


def _int8() -> Any:
    from torchao.quantization import Int8WeightOnlyConfig

    return Int8WeightOnlyConfig()
