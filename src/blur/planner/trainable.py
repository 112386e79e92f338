"""Which parameters move, and the bytes of weights, gradients and optimizer states that follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Literal

from blur.models.wrappers.base import WrapperBase
from blur.planner.activations import NORMS, Block
from blur.planner.architecture import LINEARS, Architecture
from blur.unlearn.scopes.base import ScopeBase
from blur.unlearn.settings import UnlearnSettings
from blur.unlearn.views import view_of

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
    def _key(self) -> tuple[Architecture, ScopeBase, WrapperBase, int | None]:
        return self.architecture, self.settings.scope, self.settings.wrapper, self.top

    @property
    def top(self) -> int | None:
        """The last block that a loss reaches, where all losses are on hidden states: what is above never moves."""
        terms = (*self.settings.objectives, *self.settings.own)
        tops = [view_of(term.loss, self.architecture).layer for term in terms]
        return None if None in tops else max(top for top in tops if top is not None)

    @property
    def moving(self) -> Shapes:
        """Shapes of the parameters that move, by name: chosen by the scope, and within reach of the losses."""
        return _moving(*self._key)

    @property
    def moving_element(self) -> int:
        """Bytes of an element of a parameter that moves: what a wrapper adds is float32."""
        return 4 if self.settings.wrapper.freezes else self.element

    @property
    def weights(self) -> int:
        """Bytes of all weights, those that a wrapper adds included."""
        return self.architecture.num_parameters * self.element + 4 * numel(
            self.settings.wrapper.adds(self.architecture)
        )

    @property
    def gradients(self) -> int:
        """Bytes of one set of gradients."""
        return self.num_moving * self.moving_element

    @property
    def shares(self) -> int:
        """Bytes of what the optimizer moves: the weights that move, or their masters."""
        return self.num_moving * (4 if self.masters else self.moving_element)

    @property
    def optimizer(self) -> int:
        """Bytes of what is kept from step to step, and of masters, in the type of what the optimizer moves."""
        return self.shares * (self.settings.states + (self.shares != self.gradients))

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


def require_parts(architecture: Architecture, scope: ScopeBase, wrapper: WrapperBase) -> None:
    """Refuse settings that name parts which a model has not.

    Raises:
        ConfigError: as the job would say it; names the key.
    """
    _moving(architecture, scope, wrapper, None)


@lru_cache(maxsize=64)
def _moving(architecture: Architecture, scope: ScopeBase, wrapper: WrapperBase, top: int | None) -> Shapes:
    own = () if wrapper.freezes else scope.moves(architecture)
    chosen = {name: shape for name, shape in architecture.shapes.items() if name in own} | {
        **wrapper.adds(architecture)
    }
    if top is None:
        return chosen
    layers = {name: LAYER.search(name) for name in chosen}
    below = {name for name, match in layers.items() if (int(match[1]) <= top if match else _has(name, EMBEDDINGS))}
    return {name: shape for name, shape in chosen.items() if name in below}


def _has(name: str, marks: tuple[str, ...]) -> bool:
    return any(mark in name for mark in marks)


@lru_cache(maxsize=64)
def _matrices(architecture: Architecture, scope: ScopeBase, wrapper: WrapperBase, top: int | None) -> tuple[float, ...]:
    counts = [0.0] * architecture.layers
    for name, shape in _moving(architecture, scope, wrapper, top).items():
        if match := LAYER.search(name):
            counts[int(match[1])] += architecture.matrix(shape)
    return tuple(counts)


@lru_cache(maxsize=64)
def _counts(architecture: Architecture, scope: ScopeBase, wrapper: WrapperBase, top: int | None) -> Mapping[str, int]:
    shapes = _moving(architecture, scope, wrapper, top)
    marked = {"embedding": EMBEDDINGS, "head": HEADS}
    parts = {
        part: numel({name: shape for name, shape in shapes.items() if _has(name, marks)})
        for part, marks in marked.items()
    }
    return {**parts, "all": numel(shapes), "largest": max(map(prod, shapes.values()), default=0)}


@lru_cache(maxsize=64)
def _blocks(
    architecture: Architecture, scope: ScopeBase, wrapper: WrapperBase, top: int | None, element: int
) -> tuple[Block, ...]:
    moving: dict[int, set[str]] = {}
    shapes = _moving(architecture, scope, wrapper, top)
    for name in shapes:
        if match := LAYER.search(name):
            kind = next((kind for kind in (*LINEARS, *NORMS) if f".{kind}." in name), name)
            moving.setdefault(int(match[1]), set()).add(kind)
    below = any(_has(name, EMBEDDINGS) for name in shapes)
    blocks = []
    for layer in range(architecture.layers):
        blocks.append(Block(architecture, element, frozenset(moving.get(layer, ())), below, wrapper.width))
        below = blocks[-1].passes_on
    return tuple(blocks)


def numel(shapes: Shapes) -> int:
    """Return the number of elements of all parameters."""
    return sum(prod(shape) for shape in shapes.values())
