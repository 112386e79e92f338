"""Influence unlearning in its classical form (Koh and Liang, arXiv 1703.04730): one Newton step, SOUL's one-shot form.

    theta_u = theta + alpha (N_f / N_r) (H + damping)^-1 g

with g the gradient of the mean next-token loss on what is to be forgotten, H the curvature of that on what is kept,
both at theta, and N_f, N_r their numbers of scored tokens. Where theta is the minimum of the loss over all of them, and
that is quadratic, this is the minimum over the kept ones alone (alpha = 1). H is the Gauss-Newton matrix, which has no
negative direction, over a sample of the retain texts; it is met in products with vectors only, and (H + damping) x = g
is solved by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Count, NonNegative, Positive
from blur.edits.base import AtHand, EditBase

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

    from blur.models.encode import Example
    from blur.models.forward import Outputs

Vector = list["Tensor"]


class Edit(EditBase):
    """One damped Gauss-Newton step away from what is to be forgotten."""

    name: Literal["influence"] = "influence"
    streams: ClassVar[tuple[str, ...]] = ("forget", "retain")
    copies: ClassVar[int] = 7  # the weights, conjugate gradients' four vectors, a product, and its part of a batch
    alpha: NonNegative = Field(1.0, description="1: the classical step")
    damping: Positive = Field(1e-2, description="added to the curvature of the mean loss for each token")
    iterations: Count = Field(20, description="of conjugate gradients, at most")
    tolerance: Positive = Field(1e-3, description="of the residual, relative to the gradient")
    tokens: Count = Field(20_000, description="of the retain stream, for the curvature: whole texts, drawn by the seed")
    batch_size: Count = Field(8, description="texts a pass; changes sums by rounding only")

    def passed(self, stream: str, tokens: float) -> float:
        """Return three passes for a gradient, seven for a product: ahead, back, back through that, back again."""
        return 3 * tokens if stream == "forget" else 7 * self.iterations * min(self.tokens, tokens)

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Take the step.

        Raises:
            BlurError: it is not finite.
        """
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        from blur.core.errors import BlurError
        from blur.models.batch import count

        parameters = list(model.parameters())
        forget, retain = (at_hand.examples(stream) for stream in self.streams)
        sample = at_hand.some("retain", self.tokens)
        ratio = sum(count(one, "token") for one in forget) / sum(count(one, "token") for one in retain)
        with sdpa_kernel(SDPBackend.MATH):  # the other kernels have no second derivative
            gradient = self._mean(model, forget, lambda outputs: _gradient(outputs, parameters))
            step = solve(
                lambda v: self._mean(model, sample, lambda outputs: gauss_newton_product(outputs, parameters, v)),
                gradient,
                self.damping,
                self.iterations,
                self.tolerance,
            )
        if not all(one.isfinite().all() for one in step):
            raise BlurError("the step is not finite", "edit.influence", "Raise `damping`")
        with torch.no_grad():
            for parameter, one in zip(parameters, step, strict=True):
                parameter.copy_(parameter.to(one.dtype) + self.alpha * ratio * one)

    def _mean(self, model: Module, texts: Sequence[Example], of: Callable[[Outputs], Vector]) -> Vector:
        """Return the sum over batches of what is summed over their scored tokens, for each token."""
        import torch

        from blur.models.batch import count

        total: Vector = []
        for outputs in self._outputs(model, texts):
            found = of(outputs)
            total = total or [torch.zeros_like(one) for one in found]
            torch._foreach_add_(total, found)
        torch._foreach_div_(total, float(sum(count(text, "token") for text in texts)))
        return total

    def _outputs(self, model: Module, texts: Sequence[Example]) -> Iterator[Outputs]:
        from blur.models.batch import collate
        from blur.models.forward import forward

        device = next(model.parameters()).device
        for start in range(0, len(texts), self.batch_size):
            yield forward(model, collate(texts[start : start + self.batch_size], device), "scored")


def _gradient(outputs: Outputs, parameters: Sequence[Parameter]) -> Vector:
    import torch

    return _precise(torch.autograd.grad(outputs.nll_sums.sum(), parameters, materialize_grads=True))


def gauss_newton_product(outputs: Outputs, parameters: Sequence[Parameter], v: Sequence[Tensor]) -> Vector:
    """Return J^T (diag p - p p^T) J v, summed over the positions of a batch: the loss's Gauss-Newton matrix times v.

    J is the logits' Jacobian; J v is the derivative of u^T J v by u, so that reverse passes are all it takes.
    """
    import torch

    logits = outputs.precise_logits
    u = torch.zeros_like(logits, requires_grad=True)
    pulled = torch.autograd.grad(logits, parameters, u, create_graph=True, materialize_grads=True)
    reached = [(one, part.to(one.dtype)) for one, part in zip(pulled, v, strict=True) if one.requires_grad]
    (moved,) = torch.autograd.grad([one for one, _ in reached], u, [part for _, part in reached], retain_graph=True)
    p = logits.detach().softmax(-1)
    curved = p * (moved - (p * moved).sum(-1, keepdim=True))
    return _precise(torch.autograd.grad(logits, parameters, curved, materialize_grads=True))


def solve(
    product: Callable[[Vector], Vector], g: Sequence[Tensor], damping: float, iterations: int, tolerance: float
) -> Vector:
    """Return x of (H + damping) x = g by conjugate gradients from zero; inner products in float64.

    Args:
        product: H times a vector; H is symmetric and has no negative direction.
        iterations: at most; fewer, where the residual is below ``tolerance`` times the norm of g.
    """
    import torch

    from blur.unlearn.gradients import inner

    x, r, p = [torch.zeros_like(one) for one in g], [one.clone() for one in g], [one.clone() for one in g]
    square = start = float(inner(list(r), r))
    for _ in range(iterations):
        if square <= tolerance**2 * start:
            break
        along = product(p)
        torch._foreach_add_(along, p, alpha=damping)
        length = square / float(inner(list(p), along))
        torch._foreach_add_(x, p, alpha=length)
        torch._foreach_add_(r, along, alpha=-length)
        before, square = square, float(inner(list(r), r))
        torch._foreach_mul_(p, square / before)
        torch._foreach_add_(p, r)
    return x


def _precise(tensors: Sequence[Tensor]) -> Vector:
    """Return tensors in float32 at least."""
    return [one if one.element_size() >= 4 else one.float() for one in tensors]
