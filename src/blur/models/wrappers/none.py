"""Nothing is around the model."""

from __future__ import annotations

from typing import Literal

from blur.models.wrappers.base import WrapperBase


class Wrapper(WrapperBase):
    """The model by itself."""

    name: Literal["none"] = "none"
