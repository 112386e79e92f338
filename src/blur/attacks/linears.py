"""The weights that are quantized: those of linear layers, but neither embeddings nor, by default, the output head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from blur.core.errors import ArtifactError, ConfigError


@dataclass(frozen=True)
class Linear:
    """A linear layer: ``nn.Linear``, or GPT-2's ``Conv1D``, whose weight is stored as [in, out].

    Attributes:
        path: the layer's name in the model.
    """

    path: str
    layer: nn.Module

    @property
    def name(self) -> str:
        """Name of the weight."""
        return f"{self.path}.weight"

    @property
    def weight(self) -> Tensor:
        """The weight, as the layer has it."""
        return self.layer.get_parameter("weight").detach()

    @property
    def matrix(self) -> Tensor:
        """The weight as [out, in], in the same memory."""
        return self.oriented(self.weight)

    def oriented(self, matrix: Tensor) -> Tensor:
        """Turn the layer's layout into [out, in], or back: one and the same transposition, or none."""
        return matrix.t() if isinstance(self.layer, Conv1D) else matrix

    def write(self, matrix: Tensor) -> None:
        """Replace the weight, given as [out, in], rounded to the weight's type."""
        self.matrix.copy_(matrix)


def linears(model: PreTrainedModel, include_head: bool = False) -> list[Linear]:
    """Return the linear layers of ``model``, in its order.

    Raises:
        ConfigError: there is none, or the head is asked for and is the embedding as well.
        ArtifactError: a weight is not finite.
    """
    head = model.get_output_embeddings()
    if include_head and head is not None and head.weight is model.get_input_embeddings().weight:
        raise ConfigError(
            "the output head shares its weight with the embedding, which is not quantized",
            where="include_head",
            remedy="Leave include_head out for this model",
        )
    found = [one for one in layers_of(model) if include_head or one.layer is not head]
    if not found:
        raise ConfigError("the model has no linear layer to quantize", where=type(model).__name__)
    for one in found:
        check_finite(one)
    return found


def layers_of(module: nn.Module, prefix: str = "") -> Iterator[Linear]:
    """Yield all linear layers in ``module``."""
    for path, layer in module.named_modules(prefix=prefix):
        if isinstance(layer, (nn.Linear, Conv1D)):
            yield Linear(path, layer)


def check_finite(linear: Linear) -> None:
    """Refuse a weight with NaN or infinity in it.

    Raises:
        ArtifactError: there is one.
    """
    bad = int((~torch.isfinite(linear.weight)).sum())
    if bad:
        raise ArtifactError(
            f"{bad} of {linear.weight.numel()} entries are not finite",
            where=linear.name,
            remedy="The model diverged while it was unlearned: lower its learning rate",
        )


def padded(matrix: Tensor, multiple: int) -> Tensor:
    """Return a matrix [rows, columns] with columns of zeros appended up to a multiple: the last group is shorter."""
    missing = -matrix.shape[1] % multiple
    return pad(matrix, (0, missing)) if missing else matrix
