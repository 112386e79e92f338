"""A model's parameters by name, shape and place: of one that is built, or of one that is only planned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch.nn import Module

Shape = tuple[int, ...]


class Anatomy(Protocol):
    """What says which parts of a model a name, a layer's number or a pattern means."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Shape of each parameter by its full name; a tied output head is not listed twice."""

    @property
    def maps(self) -> Mapping[str, tuple[int, int, int]]:
        """The linear maps that an adapter can be put on: (experts or 1, out, in) by the parameter's name."""

    @property
    def layers(self) -> int:
        """Number of decoder layers."""

    def block(self, layer: int) -> str:
        """Return what the names of a decoder layer's parameters begin with."""

    def down_projections(self, layer: int) -> tuple[str, ...]:
        """Return the names of a decoder layer's down-projections."""


class Built:
    """The anatomy of a model that is there, looked up when it is asked for."""

    def __init__(self, model: Module) -> None:
        self._model: Any = model

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """See ``Anatomy``."""
        return {name: tuple(parameter.shape) for name, parameter in self._model.named_parameters()}

    @cached_property
    def maps(self) -> dict[str, tuple[int, int, int]]:
        """See ``Anatomy``."""
        from blur.models.maps import adaptable_maps

        return {
            one.name: (one.stack.shape[0], one.stack.shape[1], one.stack.shape[2])
            for one in adaptable_maps(self._model)
        }

    @property
    def layers(self) -> int:
        """See ``Anatomy``.

        Raises:
            ConfigError: the decoder layers are not found.
        """
        from blur.models.hidden import depth

        return depth(self._model)

    @cached_property
    def _paths(self) -> dict[int, str]:
        return {id(layer): path for path, layer in self._model.named_modules()}

    def block(self, layer: int) -> str:
        """See ``Anatomy``."""
        from blur.models.hidden import decoder_layers

        return f"{self._paths[id(decoder_layers(self._model)[layer])]}."

    def down_projections(self, layer: int) -> tuple[str, ...]:
        """See ``Anatomy``."""
        from blur.models.maps import down_projections

        return tuple(one.name for one in down_projections(self._model, layer))
