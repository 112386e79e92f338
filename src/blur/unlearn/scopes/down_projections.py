"""Only the MLP's down-projections of some decoder layers may move: what RMU trains (Li et al., arXiv 2403.03218).

They are found by structure, in any decoder-only family and in the language model of a multimodal one only. RMU's
authors name a parameter's number within its layer, whose order differs between models: number 6 is the down-projection
in Llama, and the attention's output projection in Qwen2, whose attention has biases.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Whole
from blur.models.anatomy import Anatomy
from blur.unlearn.depth import check_layers, scaled_layers
from blur.unlearn.scopes.base import ScopeBase


class Scope(ScopeBase):
    """The weights of ``blur.models.maps.down_projections``, without biases.

    Attributes:
        layers: 0-based numbers of decoder layers.
        of: depth of the model that the numbers were chosen for, where they are to be scaled to this model's depth by
            the rule of ``blur.unlearn.depth.scaled_layer``; several may then fall on one layer.
    """

    name: Literal["down_projections"] = "down_projections"
    layers: tuple[Whole, ...] = Field(min_length=1)
    of: Count | None = None

    @model_validator(mode="after")
    def _layers_exist(self) -> Scope:
        check_layers(self.layers, self.of)
        return self

    def moves(self, anatomy: Anatomy) -> set[str]:
        """Return the names of the down-projections.

        Raises:
            ConfigError: the model has no such layer.
        """
        numbers = scaled_layers(self.layers, self.of, anatomy.layers, "scope.layers")
        return {name for number in numbers for name in anatomy.down_projections(number)}
