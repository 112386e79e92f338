"""Layers named by number, for a model of the depth that the number was chosen for or of any other. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

from blur.core.errors import ConfigError


def scaled_layer(layer: int, of: int | None, depth: int, where: str) -> int:
    """Return the 0-based index, in a model of ``depth`` layers, of what is ``layer`` in a model of ``of`` layers.

    The output of layer i comes after i + 1 of the layers. The index is that of the layer after which the same share of
    this model's layers is done, rounded to the nearest (halves up), the first at least: layer 7 of 32 is a quarter of
    the way up, so layer 5 of 24, 2 of 12 and 0 of 4. It never falls as ``layer`` grows; at equal depth it is ``layer``.

    Args:
        of: depth of the model that the number was chosen for; None for this model.
        where: the key, for the error.

    Raises:
        ConfigError: a model of ``of`` (or else ``depth``) layers has no such layer.
    """
    chosen_for = of or depth
    if not 0 <= layer < chosen_for:
        remedy = None if of else "Or say in `of` how deep a model the number was chosen for"
        raise ConfigError(missing(layer, chosen_for), where, remedy)
    done = (2 * (layer + 1) * depth + chosen_for) // (2 * chosen_for)
    return max(done, 1) - 1


def scaled_layers(layers: Iterable[int], of: int | None, depth: int, where: str) -> list[int]:
    """Return the indices of several layers by the rule of ``scaled_layer``, in rising order, each once."""
    return sorted({scaled_layer(layer, of, depth, where) for layer in layers})


def check_layers(layers: Iterable[int], of: int | None) -> None:
    """Refuse a number of ``layers`` that a model of ``of`` layers, where that is given, does not have.

    Raises:
        ValueError: there is one.
    """
    for layer in layers:
        if of is not None and layer >= of:
            raise ValueError(f"layers: {missing(layer, of)}")


def missing(layer: int, depth: int) -> str:
    """Return the message for a layer that a model does not have."""
    return f"no layer {layer} in a model of {depth} layers: they are numbered from 0 to {depth - 1}"
