"""The weights that are quantized: those of linear maps, but neither embeddings nor, by default, the output head."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from blur.core.errors import ArtifactError, ConfigError
from blur.models.maps import LinearMap, linear_maps


def quantized(model: PreTrainedModel, include_head: bool = False) -> list[LinearMap]:
    """Return the linear maps of ``model`` whose weights are quantized, in its order.

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
    found = [one for one in linear_maps(model) if include_head or one.layer is not head]
    if not found:
        raise ConfigError("the model has no linear layer to quantize", where=type(model).__name__)
    for one in found:
        check_finite(one)
    return found


def check_finite(linear: LinearMap) -> None:
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
