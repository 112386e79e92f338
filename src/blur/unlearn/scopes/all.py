"""Every weight may move."""

from __future__ import annotations

from typing import Literal

from blur.unlearn.scopes.base import ScopeBase


class Scope(ScopeBase):
    """All parameters."""

    name: Literal["all"] = "all"
