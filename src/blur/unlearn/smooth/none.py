"""No smoothing: gradients and weights as they are."""

from __future__ import annotations

from typing import Literal

from blur.unlearn.smooth.base import SmoothBase


class Smooth(SmoothBase):
    """The gradient of the present weights; the weights of the last step."""

    name: Literal["none"] = "none"
