"""The gradient norm of a text: the GradNorm membership signal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from blur.measure.batching import Progress, buckets, evaluation_mode
from blur.measure.ghost import UncoveredError, ghost_squares
from blur.models.batch import collate, count
from blur.models.encode import Example
from blur.models.forward import forward


def gradient_norms(
    model: nn.Module, examples: Sequence[Example], max_batch_tokens: int, progress: Progress | None = None
) -> list[float | None]:
    """Return, for each example, the L2 norm of the gradient of its mean token NLL over all parameters.

    A parameter that two modules share counts once. Squares are added in float64. No ``.grad`` is touched. Batches go
    through ghost norms, and the result does not depend on order or batching (to 1e-5). A model that ghost norms do not
    cover goes through autograd, one text at a time; so does one where the two disagree on a text.

    Args:
        max_batch_tokens: tokens of a batch, padding included; speed and memory only.

    Returns:
        One norm per example, in the given order; None where no token is scored.
    """
    places = [place for place, example in enumerate(examples) if count(example, "token")]
    texts = [examples[place] for place in places]
    with evaluation_mode(model, parameters_require_grad=True), torch.enable_grad():
        try:
            found = _in_batches(model, texts, max_batch_tokens, progress)
        except UncoveredError:
            found = None
        if found is None:  # not while the failed pass is held by its error
            found = _one_by_one(model, texts, progress)
    norms = dict(zip(places, found, strict=True))
    return [norms.get(place) for place in range(len(examples))]


def _in_batches(
    model: nn.Module, texts: Sequence[Example], max_batch_tokens: int, progress: Progress | None
) -> list[float]:
    """Take ghost norms; ``UncoveredError`` where they do not serve this model.

    Autograd confirms the last text of the first batch that has several, the one with the most padding. What it guards
    against would show in any text of such a batch (positions taken for another text's, texts that act on each other),
    so that one is enough.
    """
    device = next(model.parameters()).device
    norms: dict[int, float] = {}
    batches = buckets([len(text.input_ids) for text in texts], max_batch_tokens)
    confirmed = next((batch for batch in batches if len(batch) > 1), batches[0] if batches else [])
    for batch in batches:
        squares = ghost_squares(model, collate([texts[place] for place in batch], device))
        norms.update(zip(batch, squares.sqrt().tolist(), strict=True))
        if batch is confirmed:
            _confirm(model, texts[batch[-1]], norms[batch[-1]])
        if progress:
            progress(len(norms), len(texts), "gradient norm")
    return [norms[place] for place in range(len(texts))]


def _one_by_one(model: nn.Module, texts: Sequence[Example], progress: Progress | None) -> list[float]:
    norms: list[float] = []
    for text in texts:
        norms.append(_autograd_norm(model, text))
        if progress:
            progress(len(norms), len(texts), "gradient norm")
    return norms


def _confirm(model: nn.Module, text: Example, norm: float) -> None:
    """Raise ``UncoveredError`` unless autograd gives the same norm, as nearly as passes in batches and alone agree."""
    expected = _autograd_norm(model, text)
    tolerance = math.sqrt(torch.finfo(next(model.parameters()).dtype).eps)
    if not (math.isclose(norm, expected, rel_tol=tolerance) or (math.isnan(norm) and math.isnan(expected))):
        raise UncoveredError


def _autograd_norm(model: nn.Module, text: Example) -> float:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    outputs = forward(model, collate([text], next(model.parameters()).device), "scored")
    loss = (outputs.nll_sums / outputs.counts).sum()
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    squares = [_squared_norm(gradient) for gradient in gradients if gradient is not None]
    return float(torch.stack(squares).sum().sqrt())


def _squared_norm(tensor: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(tensor, dtype=torch.float64).square()
