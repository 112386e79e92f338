"""Every weight may move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from blur.unlearn.scopes.base import ScopeBase

if TYPE_CHECKING:
    from torch.nn import Module


class Scope(ScopeBase):
    """All parameters."""

    name: Literal["all"] = "all"

    def apply(self, model: Module) -> Module:
        """Mark every parameter trainable."""
        return model.requires_grad_(True)
