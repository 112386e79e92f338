"""Sophia-G (Liu et al., arXiv 2305.14342, Algorithms 2 and 3): steps clipped by a diagonal of the Gauss-Newton matrix.

The curvature is that of the next-token loss on what is kept (``UnlearnSettings.own``), estimated every ``every`` steps
with labels that the model draws itself at each scored position.

What differs in code that goes by this name (SOUL, arXiv 2404.18239) is there as ``curvature: update``: the square of
the update itself, clipped and of both losses, at every step, with no labels drawn, times a number of tokens that is
written down there. The momentum is averaged twice a step in that code: that is beta1 squared, 0.81 for 0.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import BelowOne, Count, Positive, Whole
from blur.models.encode import Unit
from blur.unlearn.losses.base import LossBase, Reference
from blur.unlearn.optimizers.base import GradientOf, State, TwoMoments

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs

TINY = 1e-15  # of the authors' code: where the curvature is zero, a step is lr in the direction of m's sign
SOUL_TOKENS = 5120  # of SOUL's code, whatever the batch
ROWS = 1 << 22  # elements of the float64 distributions that are drawn from at once


class Optimizer(TwoMoments):
    """theta <- (1 - lr wd) theta - lr clip(m / (rho h), 1), entry by entry.

    m <- beta1 m + (1 - beta1) u, h <- beta2 h + (1 - beta2) B g^2, with g the gradient of the mean loss under drawn
    labels and B the number of its tokens, so that B g^2 is an unbiased estimate of the Gauss-Newton diagonal.
    """

    name: Literal["sophia"] = "sophia"
    betas: tuple[BelowOne, BelowOne] = (0.965, 0.99)
    rho: Positive = Field(0.04, description="clips more entries where it is smaller; 0.01 to 0.08 in the authors' code")
    every: Count = Field(10, description="steps between two estimates of the curvature from own labels")
    curvature: Literal["own_labels", "update"] = Field(
        "own_labels", description="`update`: the update's square at every step, as in SOUL's code"
    )

    @property
    def own_loss(self) -> LossBase | None:
        """The loss that the curvature is estimated from."""
        return OwnLabels() if self.curvature == "own_labels" else None

    @property
    def asks(self) -> float:
        """One in ``every`` steps."""
        return 1 / self.every if self.own_loss else 0.0

    def observe(
        self, step: int, parameters: Sequence[Tensor], states: Sequence[State], gradient_of: GradientOf
    ) -> None:
        """Estimate the curvature from own labels, at steps 1, 1 + every, 1 + 2 every ..."""
        if self.own_loss is None or (step - 1) % self.every:
            return
        gradients, tokens = gradient_of(OwnLabels(step=step))
        for parameter, state, gradient in zip(parameters, states, gradients, strict=True):
            if gradient is not None:
                self._take_in(parameter, state, gradient.to(parameter.dtype), tokens)

    def _take_in(self, parameter: Tensor, state: State, g: Tensor, tokens: int) -> None:
        """Average a gradient's square, times the number of tokens that it is a mean over, into the curvature."""
        import torch

        h = state["h"] = state["h"] if "h" in state else torch.zeros_like(parameter)
        h.mul_(self.betas[1]).addcmul_(g, g, value=(1 - self.betas[1]) * tokens)

    def move(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        states: list[State],
        lr: float,
        weight_decay: float,
    ) -> None:
        """Step as the class says; where the curvature was never seen it is zero."""
        import torch

        for parameter, gradient, state in zip(parameters, gradients, states, strict=True):
            if self.curvature == "update":
                self._take_in(parameter, state, gradient, SOUL_TOKENS)
            m = gradient
            if self.beta1:
                m = state["m"] = state["m"] if "m" in state else torch.zeros_like(parameter)
                m.lerp_(gradient, 1 - self.beta1)
            h = state["h"] if "h" in state else torch.zeros_like(parameter)
            parameter.mul_(1 - lr * weight_decay)
            parameter.add_((m / (h * self.rho).add_(TINY)).clamp_(-1, 1), alpha=-lr)


class OwnLabels(LossBase):
    """Next-token loss under labels drawn from the model's own distribution, as a mean over scored tokens.

    What a text draws is a function of the run's seed, the step and the text's id, so that neither the batch's split nor
    its padding nor the number of processes changes it, but for a draw within rounding of two labels' border.
    """

    name: Literal["own_labels"] = "own_labels"
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float]] = (20, 22)
    step: Whole = 0

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the summed negative log-likelihood of each sequence's drawn labels in nats, float64[B]."""
        from dataclasses import replace

        numbers = [self._uniform(reference, text, int(size)) for text, size in enumerate(outputs.counts.tolist())]
        return replace(outputs, targets=draw(outputs.precise_logits.detach(), numbers)).nll_sums

    def _uniform(self, reference: Reference, text: int, size: int) -> Tensor:
        """Return numbers from [0, 1), float64[size], one for each scored position of a text."""
        import torch

        from blur.core.hashing import derive_seed

        seed = derive_seed("labels", reference.seed, self.step, reference.ids[text])
        return torch.rand(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def draw(logits: Tensor, numbers: Sequence[Tensor]) -> Tensor:
    """Return a label for each position, int64[N]: the first whose cumulative probability is above its number.

    Args:
        logits: [N, V].
        numbers: from [0, 1), float64[N] in parts.
    """
    import torch

    levels = torch.cat(list(numbers)).to(logits.device)[:, None]
    rows, last = max(1, ROWS // logits.shape[1]), logits.shape[1] - 1
    drawn = [
        torch.searchsorted(part.double().softmax(-1).cumsum(-1), level, right=True).clamp_(max=last)
        for part, level in zip(logits.split(rows), levels.split(rows), strict=True)
    ]
    return torch.cat(drawn).squeeze(1)
