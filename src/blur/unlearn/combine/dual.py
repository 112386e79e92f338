"""Two optimizer states, one for each gradient (DualOptim, code of a95ef74; also called Dual-AdamW).

The authors alternate: their retain gradient is that of the weights which the forget step left. Here both gradients are
of the same weights, as in every combination, so that their cosine means something. Their code refers to a flag that
does not exist, ignores its betas, and tells which state is active from counts that a missing gradient puts out of step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.unlearn.combine.base import Combination, Seen, Statistics, apart

if TYPE_CHECKING:
    from blur.unlearn.gradients import Gradients


class Combine(Combination):
    """A step along g_f at ``ratio`` times the rate, then one along g_r; weight decay, if there is any, is in both."""

    name: Literal["dual"] = "dual"
    ratio: NonNegative = Field(1.0, description="learning rate of the forget step over that of the retain step")
    spare: ClassVar[int] = 1

    @property
    def rates(self) -> tuple[float, ...]:
        """The forget step's, the retain step's."""
        return self.ratio, 1.0

    def moves(self, g_f: Gradients, g_r: Gradients, seen: Seen) -> tuple[list[Gradients], Statistics]:
        """Return g_f in tensors of its own, and g_r."""
        return apart(g_f, g_r, 1.0, self.ratio)
