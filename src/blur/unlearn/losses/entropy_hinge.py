"""BLADE's forget loss (from a port, 84f7504): predictions are flattened up to an entropy, and let be above it.

The port's mean runs over prompts too; here it is over scored tokens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Share
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs


class Loss(LossBase):
    """max(0, tau log V - H), H the entropy of a prediction in nats; mean over scored tokens."""

    name: Literal["entropy_hinge"] = "entropy_hinge"
    tau: Share = Field(0.7, description="share of the uniform distribution's entropy to reach")
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (24, 22)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the sum over scored tokens, float64[B]."""
        logs = outputs.precise_logits.log_softmax(-1)
        entropy = -(logs.exp() * logs).sum(-1)
        return outputs.sum_rows((self.tau * math.log(logs.shape[-1]) - entropy).clamp_min(0))
