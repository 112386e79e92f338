"""Only parameters whose names match may move (RMU's layers 5 to 7, say).

By name, never by a parameter's number within its layer, as RMU's authors do: the order differs between models (number
6 is the MLP's down-projection in Llama, and the attention's output projection in Qwen2, whose attention has biases).
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from blur.core.errors import ConfigError
from blur.core.settings import Count, Whole
from blur.unlearn.depth import missing, scaled_layer
from blur.unlearn.scope import ScopeBase

if TYPE_CHECKING:
    from torch.nn import Module

LAYER = "{layer}"


class Scope(ScopeBase):
    """Parameters in whose full name some pattern is found (``re.search``).

    Attributes:
        patterns: regular expressions; ``{layer}`` in one stands for each number of ``layers`` in turn.
        layers: 0-based numbers of decoder layers.
        of: depth of the model that the numbers were chosen for, where they are to be scaled to this model's depth by
            the rule of ``blur.unlearn.depth.scaled_layer``; several may then fall on one layer.
    """

    name: Literal["modules"] = "modules"
    patterns: tuple[str, ...] = Field(min_length=1, description="such as '\\.{layer}\\.mlp\\.down_proj\\.weight$'")
    layers: tuple[Whole, ...] | None = Field(None, min_length=1)
    of: Count | None = None

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern.replace(LAYER, "0"))
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return patterns

    @model_validator(mode="after")
    def _layers_have_a_place(self) -> Scope:
        if (self.layers is not None) != any(LAYER in pattern for pattern in self.patterns):
            raise ValueError(f"`layers` and a pattern with {LAYER} go together")
        if self.of is not None and self.layers is None:
            raise ValueError("`of` scales `layers`: give those too, or leave it out")
        for layer in self.layers or ():
            if self.of is not None and layer >= self.of:
                raise ValueError(f"layers: {missing(layer, self.of)}")
        return self

    def apply(self, model: Module) -> Module:
        """Mark the matching parameters trainable and freeze the rest.

        Raises:
            ConfigError: a pattern matches nothing (the nearest names are listed), or the model has no such layer.
        """
        names = [name for name, _ in model.named_parameters()]
        chosen: set[str] = set()
        for pattern, shown in self._expanded(model):
            matching = [name for name in names if re.search(pattern, name)]
            if not matching:
                near = difflib.get_close_matches(shown, names, n=3, cutoff=0.3) or names[:3]
                raise ConfigError(
                    f"no parameter of the model matches {shown!r}",
                    where="scope.patterns",
                    remedy=f"nearest names: {', '.join(near)}",
                )
            chosen.update(matching)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in chosen)
        return model

    def _expanded(self, model: Module) -> list[tuple[str, str]]:
        """Return the patterns with layer numbers put in, as whole numbers, and each as a person would write it."""
        if self.layers is None:
            return [(pattern, pattern) for pattern in self.patterns]
        from blur.models.hidden import depth

        total = depth(model)
        numbers = sorted({scaled_layer(layer, self.of, total, "scope.layers") for layer in self.layers})
        pairs = (
            (pattern.replace(LAYER, rf"(?<!\d){number}(?!\d)"), pattern.replace(LAYER, str(number)))
            for pattern in self.patterns
            for number in numbers
        )
        return list(dict.fromkeys(pairs))
