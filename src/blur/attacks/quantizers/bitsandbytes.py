"""Schemes of bitsandbytes: FP4 and NF4 (Dettmers et al., arXiv 2305.14314), LLM.int8 (arXiv 2208.07339).

FP4 in blocks of 64 is what transformers' ``load_in_4bit`` means by default, so it is the "4 bit" of the code of Zhang
et al. (arXiv 2410.16454), and LLM.int8 its "8 bit". With 4 bits the weights alone are rounded, so the model stays
plain; LLM.int8 rounds activations as well, in layers of its own, except for those of 6 and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from blur.attacks.quantizers.base import WeightQuantizer, cannot_import

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

    from blur.models.encode import Example
    from blur.models.maps import LinearMap


class Quantizer(WeightQuantizer):
    """A data type of bitsandbytes.

    Attributes:
        block_size: weights that share a scale, along the rows of [out, in]; not used by int8, where a row has one.
    """

    OUTLIER: ClassVar[float] = 6.0  # from this on, activations stay in 16 bits: the library's and transformers' default

    name: Literal["bitsandbytes"] = "bitsandbytes"
    type: Literal["fp4", "nf4", "int8"] = "fp4"
    block_size: Literal[32, 64, 128, 256, 512, 1024, 2048, 4096] = 64

    def unavailable(self) -> str | None:
        """Say whether bitsandbytes is there; it has kernels for CPUs and GPUs."""
        return cannot_import("bitsandbytes", "bitsandbytes")

    def covers(self, model: PreTrainedModel) -> list[LinearMap]:
        """Return the linear maps but, by default, the output head; of LLM.int8, those that a layer of its own can be.

        It has none for fused experts, nor for what is read past a layer's ``forward``.
        """
        found = super().covers(model)
        if self.type != "int8":
            return found
        from blur.models.maps import bare_layers

        bare = bare_layers(model)
        return [one for one in found if not one.is_fused and one.layer not in bare]

    def encode(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes and values: uint8 indices of the data type's 16 numbers, or int8."""
        from bitsandbytes import functional

        if self.type == "int8":
            codes, scales, _ = functional.int8_vectorwise_quant(matrix.half().contiguous())
            return codes, codes * (scales / 127).unsqueeze(1)
        from blur.attacks.linears import padded

        narrow = matrix.float() if matrix.element_size() == 8 else matrix
        # A row for each block: with a shape whose rows end within a block, the CPU kernel of 0.50.2 mixes scales up.
        blocks = padded(narrow.reshape(1, -1), self.block_size).reshape(-1, self.block_size)
        packed, state = functional.quantize_4bit(blocks, blocksize=self.block_size, quant_type=self.type)
        codes, values = _unpacked(packed), functional.dequantize_4bit(packed, state).flatten()
        if self.type == "fp4":
            codes = codes.masked_fill(codes == 8, 0)  # minus zero is zero
        return codes[: matrix.numel()].reshape(matrix.shape), values[: matrix.numel()].reshape(matrix.shape)

    def convert(self, model: PreTrainedModel, calibration: Sequence[Example]) -> None:
        """Round the weights, or put LLM.int8's layers in the place of linear ones."""
        if self.type != "int8":
            return super().convert(model, calibration)
        for linear in self.covers(model):
            model.set_submodule(linear.path, self._int8_layer(linear))

    def _int8_layer(self, linear: LinearMap) -> Module:
        import logging

        from bitsandbytes.nn import Linear8bitLt
        from torch.nn import Parameter

        # At every pass it would say that it works in float16.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        matrix, bias = linear.stack[0], getattr(linear.layer, "bias", None)
        rows, columns = matrix.shape
        made = Linear8bitLt(columns, rows, bias is not None, has_fp16_weights=False, threshold=self.OUTLIER)
        made.load_state_dict({"weight": matrix.contiguous()} | ({"bias": bias} if bias is not None else {}))
        made.to(matrix.device)  # this is what quantizes
        if bias is not None:
            made.bias = Parameter(bias.detach(), requires_grad=False)
        return made.requires_grad_(False).eval()


def _unpacked(packed: Tensor) -> Tensor:
    """Return the codes of bytes that hold two each, the first in the upper half."""
    from torch import stack

    return stack([packed.flatten() >> 4, packed.flatten() & 15], dim=1).flatten()
