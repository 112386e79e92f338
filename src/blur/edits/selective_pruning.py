"""Selective pruning (Pochinkov and Schoots, arXiv 2403.01267): neurons that matter to what is to be forgotten go.

    score_n = I(forget, n) / (I(retain, n) + eps mean of I(retain) over the layer)

with I one of four importances of a neuron's value z over tokens: mean |z| (``abs``), sqrt mean z^2 (``rms``), mean
1[z > 0] (``freq``), standard deviation (``std``). Neurons of a kind are ranked across all layers, the first
``fraction`` of them is pruned, and values are taken anew on what is left, ``steps`` times.

Feed-forward neurons are the inputs of down-projections (gate times up, where there is a gate); attention's are the
heads' outputs before the output projection. A neuron that is silent on the forget texts is never chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.settings import Count, Fraction, Positive
from blur.edits.base import AtHand, EditBase

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from blur.models.encode import Example
    from blur.models.neurons import Neurons

Kind = Literal["feed_forward", "attention"]


class Edit(EditBase):
    """Neurons of the highest scores, set to zero."""

    name: Literal["selective_pruning"] = "selective_pruning"
    streams: ClassVar[tuple[str, ...]] = ("forget", "retain")
    score: Literal["abs", "rms", "freq", "std"] = "abs"
    neurons: tuple[Kind, ...] = Field(("feed_forward",), min_length=1, description="each kind is ranked by itself")
    fraction: Fraction = Field(0.02, description="of all neurons of a kind, at each step")
    steps: Count = Field(1, description="values are taken anew before each")
    tokens: Count = Field(100_000, description="of each stream, at each step: whole texts, drawn by the seed")
    eps: Positive = Field(1e-3, description="of a layer's mean importance on retain")
    batch_size: Count = Field(16, description="texts a forward pass; changes sums by rounding only")

    @property
    def times(self) -> int:
        """The steps."""
        return self.steps

    def passed(self, stream: str, tokens: float) -> float:
        """Return one pass at each step."""
        return self.steps * min(self.tokens, tokens)

    def apply(self, model: Module, at_hand: AtHand) -> None:
        """Make one step."""
        from blur.models.neurons import neurons

        kinds = [neurons(model, kind) for kind in self.neurons]
        every = [one for groups in kinds for one in groups]
        forget, retain = (self._importances(model, every, at_hand.some(name, self.tokens)) for name in self.streams)
        of = {id(one): scores(f, r, self.eps) for one, f, r in zip(every, forget, retain, strict=True)}
        for groups in kinds:
            masked = [of[id(one)].masked_fill(one.pruned, 0.0) for one in groups]
            for one, chosen in zip(groups, highest(masked, self.fraction), strict=True):
                one.prune(chosen)

    def _importances(self, model: Module, groups: Sequence[Neurons], texts: Sequence[Example]) -> list[Tensor]:
        """Return each group's importances over texts, float64[number]."""
        from blur.models.batch import collate
        from blur.models.neurons import activations

        device = next(model.parameters()).device
        found = [Importance(self.score) for _ in groups]
        for start in range(0, len(texts), self.batch_size):
            batch = collate(texts[start : start + self.batch_size], device)
            for one, values in zip(found, activations(model, batch, groups), strict=True):
                one.add(values)
        return [one.value for one in found]


class Importance:
    """A score's importance of neurons, from the mean and the squared deviations of one function of their values.

    Merged part by part in float64, so that a variance is no difference of two large sums (Chan et al. 1983).
    """

    def __init__(self, score: str) -> None:
        self.score, self.count = score, 0
        self.mean: Tensor | float = 0.0
        self.squares: Tensor | float = 0.0

    def add(self, values: Tensor) -> None:
        """Take in the values at some tokens, [tokens, number]."""
        z = values.double()
        z = {"abs": z.abs, "rms": z.square, "freq": (z > 0).double, "std": lambda: z}[self.score]()
        count, mean = len(z), z.mean(0)
        total, apart = self.count + count, mean - self.mean
        self.squares = self.squares + (z - mean).square().sum(0) + apart.square() * (self.count * count / total)
        self.mean, self.count = self.mean + apart * (count / total), total

    @property
    def value(self) -> Tensor:
        """The importances, float64[number]."""
        import torch

        mean, squares = torch.as_tensor(self.mean), torch.as_tensor(self.squares)
        return {"rms": mean.sqrt, "std": (squares / self.count).sqrt}.get(self.score, lambda: mean)()


def scores(forget: Tensor, retain: Tensor, eps: float) -> Tensor:
    """Return the scores of a layer's neurons, float64[number]: 0 of those that are silent on the forget texts."""
    return (forget / (retain + eps * retain.mean())).masked_fill(forget == 0, 0.0)


def highest(of_layers: Sequence[Tensor], fraction: float) -> list[Tensor]:
    """Return which neurons have the highest scores of all layers together, bool[number] of each layer.

    Args:
        fraction: of all neurons; fewer are chosen where fewer have a score above 0. Of equal ones, the first.
    """
    import torch

    every = torch.cat(list(of_layers))
    order = every.sort(descending=True, stable=True).indices[: round(fraction * len(every))]
    chosen = torch.zeros_like(every, dtype=torch.bool).index_fill(0, order, True) & (every > 0)
    return list(chosen.split([len(one) for one in of_layers]))
