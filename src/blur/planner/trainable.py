"""Which parameters move, and the bytes of weights, gradients and optimizer states that follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, Literal

from blur.planner.activations import NORMS, Block
from blur.planner.architecture import LINEARS, Architecture
from blur.unlearn.depth import scaled_layer, scaled_layers
from blur.unlearn.losses.base import ActivationLoss, LossBase
from blur.unlearn.settings import UnlearnSettings

Shapes = Mapping[str, tuple[int, ...]]
EMBEDDINGS = (
    "embed_tokens",
    "wte",
    "wpe",
    "embed_in",
    "embed_positions",
    "word_embeddings",
    "embeddings",
)  # parts of their names
HEADS = ("lm_head", "embed_out")
LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Trained:
    """A model as a method trains it.

    Attributes:
        element: bytes of an element of the model's weights.
        masters: float32 masters of the trainable weights, which the optimizer moves, beside weights of another type.
    """

    architecture: Architecture
    settings: UnlearnSettings
    element: int
    masters: bool = False

    @property
    def rank(self) -> int:
        """Rank of LoRA adapters; 0 without."""
        scope: Any = self.settings.scope
        return scope.rank if scope.name == "lora" else 0

    @property
    def _key(self) -> tuple[Architecture, Any, int | None]:
        return self.architecture, self.settings.scope, self.top

    @property
    def top(self) -> int | None:
        """The last block that a loss reaches, where all losses are on hidden states: what is above never moves."""
        terms = (*self.settings.objectives, *self.settings.own)
        tops = [top_block(term.loss, self.architecture) for term in terms]
        return None if None in tops else max(top for top in tops if top is not None)

    @property
    def adapters(self) -> Shapes:
        """Shapes of LoRA's parameters: A [rank, in] and B [out, rank] for each adapted linear layer."""
        return self.moving if self.rank else {}

    @property
    def moving(self) -> Shapes:
        """Shapes of the parameters that move, by name: chosen by the scope, and within reach of the losses."""
        return _moving(*self._key)

    @property
    def moving_element(self) -> int:
        """Bytes of an element of a parameter that moves: peft keeps adapters in float32."""
        return 4 if self.rank else self.element

    @property
    def weights(self) -> int:
        """Bytes of all weights, adapters included."""
        return self.architecture.num_parameters * self.element + 4 * self.num_moving * bool(self.rank)

    @property
    def gradients(self) -> int:
        """Bytes of one set of gradients."""
        return self.num_moving * self.moving_element

    @property
    def optimizer(self) -> int:
        """Bytes of what optimizer and combination keep, and of masters, in the type of what the optimizer moves."""
        states, master = self.settings.states, self.masters and self.moving_element != 4
        return self.num_moving * (4 * (states + 1) if master else self.moving_element * states)

    def gradient_of(self, part: Literal["embedding", "head"]) -> int:
        """Return the bytes of the gradient of the embedding or the output head; 0 where it does not move."""
        tied = part == "head" and self.architecture.tied
        return _counts(*self._key)["embedding" if tied else part] * self.moving_element

    @property
    def num_moving(self) -> int:
        """Elements of all parameters that move."""
        return _counts(*self._key)["all"]

    def moving_matrices(self, blocks: int) -> float:
        """Return the elements, in use for a token, of the matrices that move in the first ``blocks`` blocks."""
        return sum(_matrices(*self._key)[:blocks])

    @property
    def moves_last_norm(self) -> bool:
        """Whether the gain of the norm after the last block moves."""
        return "model.norm.weight" in self.moving or "transformer.ln_f.weight" in self.moving

    @property
    def largest(self) -> int:
        """Elements of the largest parameter that moves."""
        return _counts(*self._key)["largest"]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The decoder blocks, from the first, with what moves in each."""
        return _blocks(*self._key, self.element)


@lru_cache(maxsize=64)
def _moving(architecture: Architecture, scope: Any, top: int | None) -> Shapes:
    chosen = _chosen(architecture, scope)
    if top is None:
        return chosen
    layers = {name: LAYER.search(name) for name in chosen}
    below = {name for name, match in layers.items() if (int(match[1]) <= top if match else _has(name, EMBEDDINGS))}
    return {name: shape for name, shape in chosen.items() if name in below}


def _has(name: str, marks: tuple[str, ...]) -> bool:
    return any(mark in name for mark in marks)


def _chosen(architecture: Architecture, scope: Any) -> Shapes:
    if scope.name == "lora":
        return _adapters(architecture, scope)
    if scope.name not in ("modules", "down_projections"):
        return architecture.shapes
    numbers = scaled_layers(scope.layers or (), scope.of, architecture.layers, "scope.layers")
    if scope.name == "down_projections":
        names = [name for number in numbers for name in architecture.down_projections(number)]
        return {name: architecture.shapes[name] for name in names}
    patterns = list(scope.patterns)
    if numbers:
        patterns = [p.replace("{layer}", rf"(?<!\d){number}(?!\d)") for p in patterns for number in numbers]
    return {n: s for n, s in architecture.shapes.items() if any(re.search(p, n) for p in patterns)}


@lru_cache(maxsize=64)
def _matrices(architecture: Architecture, scope: Any, top: int | None) -> tuple[float, ...]:
    counts = [0.0] * architecture.layers
    for name, shape in _moving(architecture, scope, top).items():
        if match := LAYER.search(name):
            counts[int(match[1])] += architecture.matrix(shape)
    return tuple(counts)


@lru_cache(maxsize=64)
def _counts(architecture: Architecture, scope: Any, top: int | None) -> Mapping[str, int]:
    shapes = _moving(architecture, scope, top)
    marked = {"embedding": EMBEDDINGS, "head": HEADS}
    parts = {
        part: numel({name: shape for name, shape in shapes.items() if _has(name, marks)})
        for part, marks in marked.items()
    }
    return {**parts, "all": numel(shapes), "largest": max(map(prod, shapes.values()), default=0)}


def _adapters(architecture: Architecture, scope: Any) -> Shapes:
    found: dict[str, tuple[int, ...]] = {}
    for name, (stack, out, inputs) in architecture.maps.items():
        target, rank = name.removesuffix(".weight"), scope.rank * stack
        if scope.adapts(target):
            found |= {f"{target}.lora_A": (rank, inputs), f"{target}.lora_B": (out, rank)}
    return found


@lru_cache(maxsize=64)
def _blocks(architecture: Architecture, scope: Any, top: int | None, element: int) -> tuple[Block, ...]:
    moving: dict[int, set[str]] = {}
    shapes = _moving(architecture, scope, top)
    for name in shapes:
        if match := LAYER.search(name):
            kind = next((kind for kind in (*LINEARS, *NORMS) if f".{kind}." in name), name)
            moving.setdefault(int(match[1]), set()).add(kind)
    below = any(_has(name, EMBEDDINGS) for name in shapes)
    rank = scope.rank if scope.name == "lora" else 0
    blocks = []
    for layer in range(architecture.layers):
        blocks.append(Block(architecture, element, frozenset(moving.get(layer, ())), below, rank))
        below = blocks[-1].passes_on
    return tuple(blocks)


def top_block(loss: LossBase, architecture: Architecture) -> int | None:
    """Return the index of the block whose output a loss reads; None where it reads logits."""
    if not isinstance(loss, ActivationLoss):
        return None
    return scaled_layer(loss.layer, loss.of, architecture.layers, loss.name)


def numel(shapes: Shapes) -> int:
    """Return the number of elements of all parameters."""
    return sum(prod(shape) for shape in shapes.values())
