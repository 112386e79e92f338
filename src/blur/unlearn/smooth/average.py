"""Weight averaging (Fan et al., arXiv 2502.05374, WA): a run gives a mean of weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from blur.core.settings import Count, Fraction
from blur.unlearn.smooth.base import Kept, Numbers, Progress, SmoothBase

if TYPE_CHECKING:
    from torch import Tensor


class Smooth(SmoothBase):
    """The mean of the weights after every ``every``-th step from ``start`` on (the authors: 100, 105 to 125 of 125).

    Training goes on from the weights as they are; measurements between epochs, and the stored model, are of the mean.
    """

    name: Literal["average"] = "average"
    start: Fraction = Field(0.8, description="share of the run's steps after which the first weights are taken")
    every: Count = Field(5, description="steps between two")

    @property
    def states(self) -> int:
        """The sum."""
        return 1

    @property
    def shows(self) -> bool:
        """The mean."""
        return True

    def stepped(self, progress: Progress, shares: Sequence[Tensor], kept: Kept, numbers: Numbers) -> None:
        """Add the weights to the sum, in float32 at least, where it is their turn."""
        import torch

        step, steps = progress
        late = step - max(1, round(self.start * steps))
        if late < 0 or late % self.every:
            return
        numbers["count"] = numbers.get("count", 0) + 1
        for share, own in zip(shares, kept, strict=True):
            wide = share.to(torch.promote_types(share.dtype, torch.float32))
            own["sum"] = own["sum"].add_(wide) if "sum" in own else wide.clone()

    def shown(self, kept: Kept, numbers: Numbers) -> Iterable[Tensor] | None:
        """Return the mean of what was added so far; None before there was anything."""
        return (own["sum"] / numbers["count"] for own in kept) if numbers else None
