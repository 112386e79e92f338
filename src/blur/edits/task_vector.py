"""Task arithmetic (Ilharco et al., arXiv 2212.04089), as MUSE uses it to forget (arXiv 2407.06460, section 4.1).

    theta_u = theta - alpha (theta_tuned - theta)

with theta_tuned the model fine-tuned on the forget set alone (``blur.derived.forget_tuned``): what tuning on the texts
adds, taken away. The difference is taken and scaled in float32 at least, and each weight is rounded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import NonNegative
from blur.edits.base import AtHand, EditBase
from blur.unlearn.asked import Asked

if TYPE_CHECKING:
    from torch.nn import Module


class Edit(EditBase):
    """The tuned model's difference, alpha times, subtracted."""

    name: Literal["task_vector"] = "task_vector"
    alpha: NonNegative = Field(5.0, description="5 in MUSE's code, which sweeps 1 to 10")
    copies: ClassVar[int] = 2

    @property
    def derived(self) -> tuple[Asked, ...]:
        """The tuned model."""
        return (Asked("forget_tuned"),)

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Subtract; buffers stay as they are."""
        import torch

        from blur.models.io import load

        tuned = dict(load(at_hand.derived["forget_tuned"]).model.named_parameters())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                wide = torch.promote_types(parameter.dtype, torch.float32)
                own, other = parameter.to(wide), tuned[name].to(parameter.device, wide)
                parameter.copy_(own - self.alpha * (other - own))
