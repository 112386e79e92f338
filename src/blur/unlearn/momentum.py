"""The retain gradient's first moment, for a combination that keeps it in place of the update's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from blur.unlearn.gradients import Gradients


class RetainMoment:
    """m_r <- beta m_r + (1 - beta) g_r, divided by 1 - beta^t where it is used, as Adam does with that of the update.

    Attributes:
        state: m_r of each share of the parameters, under the key ``retain``, in the share's type.
    """

    def __init__(self, shares: Sequence[nn.Parameter], beta: float) -> None:
        self.shares, self.beta = shares, beta
        self.state: dict[Any, dict[str, Any]] = defaultdict(dict)

    @torch.no_grad()
    def of(self, g_r: Gradients, step: int) -> Gradients:
        """Take a gradient in; return m_r, corrected for its start at zero, in its place.

        Args:
            g_r: a missing gradient is zero; m_r is missing where there was none so far.
            step: the step's number, from 1.
        """
        for place, (share, gradient) in enumerate(zip(self.shares, g_r, strict=True)):
            kept = self.state[share]
            if gradient is None and not kept:
                continue
            gradient = torch.zeros_like(share) if gradient is None else gradient
            moment = kept["retain"] = kept["retain"] if kept else torch.zeros_like(share)
            moment.lerp_(gradient.to(moment.dtype), 1 - self.beta)
            g_r[place] = gradient.copy_(moment).div_(1 - self.beta**step)
        return g_r
