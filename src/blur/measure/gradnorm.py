"""The gradient norm of a text: the GradNorm membership signal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from blur.measure.batching import Progress, evaluation_mode
from blur.models.batch import collate
from blur.models.encode import Example
from blur.models.forward import forward


def gradient_norms(model: nn.Module, examples: Sequence[Example], progress: Progress | None = None) -> list[float]:
    """Return, for each example, the L2 norm of the gradient of its mean token NLL over all parameters.

    A parameter that two modules share counts once. Squares are added in float64. No ``.grad`` is touched.
    """
    device = next(model.parameters()).device
    norms: list[float] = []
    with evaluation_mode(model, parameters_require_grad=True), torch.enable_grad():
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        for example in examples:
            outputs = forward(model, collate([example], device), "scored")
            loss = (outputs.nll_sums / outputs.counts).sum()
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            squares = [_squared_norm(gradient) for gradient in gradients if gradient is not None]
            norms.append(float(torch.stack(squares).sum().sqrt()))
            if progress:
                progress(len(norms), len(examples), "gradient norm")
    return norms


def _squared_norm(tensor: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(tensor, dtype=torch.float64).square()
