"""Only the MLP's down-projections of some decoder layers may move: what RMU trains (Li et al., arXiv 2403.03218).

They are found by structure, in any decoder-only family and in the language model of a multimodal one only. RMU's
authors name a parameter's number within its layer, whose order differs between models: number 6 is the down-projection
in Llama, and the attention's output projection in Qwen2, whose attention has biases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from blur.core.settings import Count, Whole
from blur.unlearn.depth import check_layers, scaled_layers
from blur.unlearn.scopes.base import ScopeBase

if TYPE_CHECKING:
    from torch.nn import Module


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

    def apply(self, model: Module) -> Module:
        """Mark the down-projections trainable and freeze the rest.

        Raises:
            ConfigError: the model has no such layer.
        """
        from blur.models.hidden import depth
        from blur.models.maps import down_projections

        model.requires_grad_(False)
        for number in scaled_layers(self.layers, self.of, depth(model), "scope.layers"):
            for one in down_projections(model, number):
                one.layer.get_parameter(one.key).requires_grad_(True)
        return model
