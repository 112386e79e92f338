"""GPTQ (Frantar et al., arXiv 2210.17323) as Intel Neural Compressor solves it for one weight.

Columns are rounded in order, and the error of each is made up for by those to come, through the Cholesky factor of the
inverse of H + damping * mean(diag H) I, with H = 2 X X^T / (number of texts). Symmetric: at 4 bits the scale is
max|w| / 7.5 of the group, as it is when its turn comes.

Fault avoided: the library, like the authors' code, has codes for half of a group's range only where no weight of the
group is negative, and clamps what is above (a group's largest weight becomes 7/15 of it); short groups are often so.

llmcompressor and GPTQModel, which quantize whole models, do not install beside the transformers and numpy used here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from blur.attacks.quantizers.base import QuantizerBase, cannot_import
from blur.core.settings import Count, Positive

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from blur.models.encode import Example
    from blur.models.maps import LinearMap


class Quantizer(QuantizerBase):
    """Groups of input channels; the linear layers of the decoder layers.

    Attributes:
        group_size: the last group of a row may be shorter. Errors are spread in blocks of as many columns.
        damping: 0.01 in the paper and in the recipe of a reproduction of Zhang et al. (arXiv 2410.16454).
    """

    name: Literal["gptq"] = "gptq"
    bits: Count = Field(4, ge=2, le=8)
    group_size: Count = 128
    damping: Positive = 0.01

    def unavailable(self) -> str | None:
        """Say whether Neural Compressor is there."""
        return cannot_import("neural_compressor.torch.algorithms.weight_only.gptq", "neural-compressor[pt]")

    def covers(self, model: PreTrainedModel) -> list[LinearMap]:
        """Return the linear layers of the decoder layers; fused experts are left as they are."""
        from blur.attacks.calibration import solvable

        return solvable(model)

    def convert(self, model: PreTrainedModel, calibration: Sequence[Example]) -> None:
        """Solve layer by layer."""
        from blur.attacks.calibration import quantize_by_layer

        quantize_by_layer(model, calibration, lambda matrix: _Solver(matrix, self), f"quantizer {self.name}")


class _Solver:
    def __init__(self, matrix: Tensor, settings: Quantizer) -> None:
        import logging

        from neural_compressor.torch.algorithms.weight_only.gptq import GPTQ
        from torch import nn

        logging.getLogger("neural_compressor").setLevel(logging.WARNING)  # it reports on every weight
        self.matrix, self.settings = matrix, settings
        kind = nn.Linear(1, 1, device="meta")  # its type tells how a weight lies in memory
        self.gptq: Any = GPTQ(kind, matrix, matrix.device)
        self.gptq.quantizer.configure({"dtype": "int", "bits": settings.bits, "sym": True, "double_quant_sym": True})
        self.gptq.quantizer.find_params = self._find_scale

    def observe(self, inputs: Tensor) -> None:
        self.gptq.add_batch(inputs, None)

    def _find_scale(self, group: Tensor, weight: bool = True) -> None:
        """Set the scale of each row of a group [out, width]; the library asks for it when the group's turn comes."""
        half, largest = 2 ** (self.settings.bits - 1), group.abs().amax(1, keepdim=True)
        scale = largest.where(largest > 0, 1.0) / (half - 0.5)
        self.gptq.quantizer.scale, self.gptq.quantizer.zero = scale, scale.new_full(scale.shape, half)

    def solve(self) -> Tensor:
        size, damping = self.settings.group_size, self.settings.damping
        return self.gptq.fasterquant(self.matrix, blocksize=size, percdamp=damping, groupsize=size)[-1]
