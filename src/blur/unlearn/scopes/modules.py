"""Only parameters whose names match may move."""

from __future__ import annotations

import difflib
import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from blur.core.errors import ConfigError
from blur.core.settings import Count, Whole
from blur.models.anatomy import Anatomy
from blur.unlearn.depth import check_layers, scaled_layers
from blur.unlearn.scopes.base import ScopeBase

LAYER = "{layer}"


class Scope(ScopeBase):
    """Parameters in whose full name some pattern is found (``re.search``).

    Attributes:
        patterns: regular expressions; ``{layer}`` in one stands for each number of ``layers`` in turn, and matches
            within that decoder layer only, not in a vision tower, say.
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
        check_layers(self.layers or (), self.of)
        return self

    def moves(self, anatomy: Anatomy) -> set[str]:
        """Return the names of the matching parameters.

        Raises:
            ConfigError: a pattern matches nothing (the nearest names are listed), or the model has no such layer.
        """
        names, chosen = list(anatomy.shapes), set[str]()
        for pattern, shown, within in self._expanded(anatomy):
            matching = [name for name in names if name.startswith(within) and re.search(pattern, name)]
            if not matching:
                near = difflib.get_close_matches(shown, names, n=3, cutoff=0.3) or names[:3]
                raise ConfigError(
                    f"no parameter of the model matches {shown!r}",
                    where="scope.patterns",
                    remedy=f"nearest names: {', '.join(near)}",
                )
            chosen.update(matching)
        return chosen

    def _expanded(self, anatomy: Anatomy) -> list[tuple[str, str, str]]:
        """Return each pattern with layer numbers put in, as a person would write it, and where its matches lie."""
        if self.layers is None:
            return [(pattern, pattern, "") for pattern in self.patterns]
        return [
            (
                pattern.replace(LAYER, rf"(?<!\d){number}(?!\d)"),
                pattern.replace(LAYER, str(number)),
                anatomy.block(number) if LAYER in pattern else "",
            )
            for pattern in self.patterns
            for number in scaled_layers(self.layers, self.of, anatomy.layers, "scope.layers")
        ]
