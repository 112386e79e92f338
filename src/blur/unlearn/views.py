"""What a forward pass is asked for. Losses with the same view of a batch share one pass."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from blur.models.batch import Batch
from blur.models.forward import Outputs, forward
from blur.models.hidden import HiddenStates, depth, hidden_states
from blur.unlearn.depth import scaled_layer
from blur.unlearn.losses.base import ActivationLoss, LossBase, Texts


class View(NamedTuple):
    """Positions, whether their logits are read (``layer`` is None) or a decoder layer's output, and of which texts."""

    positions: str
    layer: int | None = None
    texts: Texts = "answers"

    def read(self, model: nn.Module, batch: Batch) -> Outputs | HiddenStates:
        """Run ``model`` as far as the view needs."""
        if self.layer is None:
            return forward(model, batch, self.positions)
        return hidden_states(model, batch, self.positions, self.layer)


def view_of(loss: LossBase, model: nn.Module) -> View:
    """Return what a loss reads of ``model``, its layer scaled to the model's depth.

    Raises:
        ConfigError: the model has no such layer.
    """
    if not isinstance(loss, ActivationLoss):
        return View(loss.positions, None, loss.texts)
    return View(loss.positions, scaled_layer(loss.layer, loss.of, depth(model), f"{loss.name}.layer"), loss.texts)
