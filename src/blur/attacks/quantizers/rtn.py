"""Round to nearest (Zhang et al., arXiv 2410.16454): Q(w) = Delta round(w / Delta) with Delta = max|w| / 2^(N-1).

Codes are clamped to N bits in two's complement, so that of +max|w|, 2^(N-1), becomes one less: the largest weight loses
a step where it is positive, and not where it is negative. For this reason a rounded model rounded again is the same
only where some weight of every group has the lowest code; otherwise its Delta is smaller.

Ties go to the even code. All is computed in float32. A bfloat16 model has the values code * Delta rounded to 8
significant bits, which moves them by less than Delta / 32 at 4 bits and Delta / 2 at 8 bits: never to another code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.attacks.quantizers.base import WeightQuantizer
from blur.core.settings import Count

if TYPE_CHECKING:
    from torch import Tensor


class Quantizer(WeightQuantizer):
    """One Delta for a whole weight, for each output channel, or for each group of input channels of an output channel.

    Attributes:
        group_size: used with ``granularity: group`` only; the last group of a row may be shorter.
    """

    name: Literal["rtn"] = "rtn"
    bits: Count = Field(4, ge=2, le=8)
    granularity: Literal["tensor", "channel", "group"] = "group"
    group_size: Count = 128

    def encode(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes (int8) and values (float32), [out, in]. Where all weights of a Delta are zero, so are both."""
        from blur.attacks.linears import padded

        rows, columns = matrix.shape
        whole = padded(matrix.float(), self.group_size) if self.granularity == "group" else matrix.float()
        width = {"tensor": whole.numel(), "channel": columns, "group": self.group_size}[self.granularity]
        codes, values = encode(whole.reshape(-1, width), self.bits)
        return codes.reshape(rows, -1)[:, :columns], values.reshape(rows, -1)[:, :columns]


def encode(blocks: Tensor, bits: Count, steps: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return codes (int8) and values (float32) of blocks [number, width] that have a Delta each.

    Args:
        steps: the Deltas, [number, 1]; by default max|w| / 2^(bits - 1).
    """
    half = 2 ** (bits - 1)
    found = blocks.abs().amax(1, keepdim=True) / half if steps is None else steps
    safe = found.where(found > 0, 1.0)
    codes = (blocks / safe).round().clamp(-half, half - 1)
    return codes.char(), codes * safe
