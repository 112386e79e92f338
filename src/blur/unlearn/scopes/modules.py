"""Only parameters whose names match may move (RMU's layers 5 to 7, say). By name: the order differs between models."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from blur.core.errors import ConfigError
from blur.unlearn.scope import ScopeBase

if TYPE_CHECKING:
    from torch.nn import Module


class Scope(ScopeBase):
    """Parameters in whose full name some pattern is found (``re.search``)."""

    name: Literal["modules"] = "modules"
    patterns: tuple[str, ...] = Field(min_length=1, description="such as 'layers\\.[567]\\.mlp\\.down_proj'")

    @field_validator("patterns")
    @classmethod
    def _compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return patterns

    def apply(self, model: Module) -> Module:
        """Mark the matching parameters trainable and freeze the rest.

        Raises:
            ConfigError: a pattern matches nothing; the nearest names are listed.
        """
        names = [name for name, _ in model.named_parameters()]
        for pattern in self.patterns:
            if not any(re.search(pattern, name) for name in names):
                near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3) or names[:3]
                raise ConfigError(
                    f"no parameter of the model matches {pattern!r}",
                    where="scope.patterns",
                    remedy=f"nearest names: {', '.join(near)}",
                )
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(any(re.search(pattern, name) for pattern in self.patterns))
        return model
