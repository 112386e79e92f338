"""The retain gradient's first moment, for a combination that keeps it in place of the update's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from blur.unlearn.gradients import Gradients


def smoothed(kept: dict[str, Any], key: str, gradient: Tensor | None, share: Tensor, beta: float) -> Tensor | None:
    """Return m <- beta m + (1 - beta) g, which is kept under ``key``; None where there was no gradient so far.

    Args:
        kept: what is kept of a share of the parameters.
        gradient: of the share; a missing one is zero.
    """
    if gradient is None and key not in kept:
        return None
    gradient = torch.zeros_like(share) if gradient is None else gradient
    moment: Tensor = kept[key] if key in kept else torch.zeros_like(share)
    kept[key] = moment.lerp_(gradient.to(moment.dtype), 1 - beta)
    return moment


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
            moment = smoothed(self.state[share], "retain", gradient, share, self.beta)
            if moment is not None:
                made = torch.zeros_like(share) if gradient is None else gradient
                g_r[place] = made.copy_(moment).div_(1 - self.beta**step)
        return g_r
