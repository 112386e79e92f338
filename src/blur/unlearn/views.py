"""What a forward pass is asked for. Losses with the same view of a batch share one pass. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from blur.models.anatomy import Anatomy
from blur.unlearn.depth import scaled_layer
from blur.unlearn.losses.base import ActivationLoss, LossBase, Texts

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.batch import Batch
    from blur.models.forward import Outputs
    from blur.models.hidden import HiddenStates
    from blur.unlearn.settings import Objective


class View(NamedTuple):
    """Positions, whether their logits are read (``layer`` is None) or a decoder layer's output, and of which texts."""

    positions: str
    layer: int | None = None
    texts: Texts = "answers"

    def read(self, model: Module, batch: Batch) -> Outputs | HiddenStates:
        """Run ``model`` as far as the view needs."""
        from blur.models.forward import forward
        from blur.models.hidden import hidden_states

        if self.layer is None:
            return forward(model, batch, self.positions)
        return hidden_states(model, batch, self.positions, self.layer)


def view_of(loss: LossBase, anatomy: Anatomy) -> View:
    """Return what a loss reads of a model, its layer scaled to the model's depth.

    Raises:
        ConfigError: the model has no such layer.
    """
    if not isinstance(loss, ActivationLoss):
        return View(loss.positions, None, loss.texts)
    return View(loss.positions, scaled_layer(loss.layer, loss.of, anatomy.layers, f"{loss.name}.layer"), loss.texts)


def passes(side: Iterable[Objective], anatomy: Anatomy) -> dict[tuple[str, View], list[Objective]]:
    """Group a side's terms by stream and view: those of a group share one forward and backward pass."""
    groups: dict[tuple[str, View], list[Objective]] = {}
    for term in side:
        groups.setdefault((term.stream, view_of(term.loss, anatomy)), []).append(term)
    return groups
