"""Bytes that a loss has in use at its peak, per logit (or per hidden unit).

Each number is the count of [N, V] tensors alive at once, the model's own logits and the reference's included, over one
forward and backward pass of the loss. For a cross-entropy in float32 that is 16: logits, log-softmax, and the two
gradients. A loss declares what ``count`` finds (``peak``), so that planning imports no torch (a test compares); one
that declares nothing is counted when it is met.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from blur.core.errors import BlurError
from blur.unlearn.losses.base import LIVE, ActivationLoss, LossBase


def peak_per_output(loss: LossBase, element: int) -> float:
    """Return bytes per logit (per hidden unit for a loss on hidden states) at the loss's peak."""
    return loss.peak[element != 4] if loss.peak else count(loss, element)


@lru_cache(maxsize=64)
def count(loss: LossBase, element: int) -> float:
    """Run a loss forward and backward on small random outputs and count the bytes alive at its peak, per output.

    Raises:
        BlurError: the loss reads something that is not known here.
    """
    import torch

    from blur.models.forward import Outputs
    from blur.models.hidden import HiddenStates
    from blur.planner.alive import Alive
    from blur.unlearn.losses.base import Reference

    rows, width = 16, 4096
    dtype = torch.float32 if element == 4 else torch.bfloat16
    with Alive() as alive:
        values = torch.rand(rows, width, dtype=dtype).requires_grad_()
        places, targets = torch.arange(rows) % 2, torch.arange(rows)
        hidden = isinstance(loss, ActivationLoss)
        outputs = HiddenStates(values, places, ("", ""), 2) if hidden else Outputs(values, places, targets, 2, (0,))
        labels = dict.fromkeys(loss.needs, targets)
        reference = Reference(torch.ones(2, dtype=torch.float64), known_labels=labels, ids=("", ""))
        if loss.needs & LIVE:
            known = torch.rand(rows, width)
            at_logits, at_hidden = (None, known) if hidden else (known, None)
            reference = replace(reference, known_logits=at_logits, known_hidden=at_hidden)
        try:
            loss.numerator(outputs, reference).sum().backward()
        except (AttributeError, TypeError) as error:
            what = f"the memory of the loss {loss.name!r} cannot be counted: {error}"
            raise BlurError(what, type(loss).__module__, "Give the class a `peak`, as measured") from error
    return alive.peak / (rows * width)
