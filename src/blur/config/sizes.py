"""Settings that have to fit the model: an adapter's rank, layers by number. Only the model's configuration is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from blur.config.load import Layer, Location, file_of
from blur.core.errors import ConfigError
from blur.unlearn.depth import missing

if TYPE_CHECKING:
    from blur.models.settings import ModelSettings

# The names that transformers has for them; a model has one of each row.
_WIDTH = ("hidden_size", "n_embd", "d_model", "dim")
_DEPTH = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
_OTHERS = ("intermediate_size", "num_key_value_heads", "head_dim", "max_position_embeddings", "n_positions")
_LARGEST = 10**7


@dataclass(frozen=True)
class Sizes:
    """Width and depth of a model; None where its configuration does not tell under a known name."""

    width: int | None
    depth: int | None


def sizes_of(model: ModelSettings, file: str) -> Sizes:
    """Return the sizes of a model that is built here, or that lies in a folder; those of a name of the hub are None.

    Args:
        file: the model's, for the error.

    Raises:
        ConfigError: the sizes of a model that is built here make no model.
    """
    if model.architecture is not None:
        return _checked(model.architecture, f"{file}: model.architecture")
    try:
        fields = json.loads((Path(str(model.name_or_path)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # whoever reads the folder says what is wrong with it
        return Sizes(None, None)
    found = (_first(fields, names)[1] if isinstance(fields, Mapping) else None for names in (_WIDTH, _DEPTH))
    return Sizes(*(size if isinstance(size, int) else None for size in found))


def _checked(fields: Mapping[str, Any], place: str) -> Sizes:
    for key in (*_WIDTH, *_DEPTH, *_HEADS, *_OTHERS):
        size = fields.get(key)
        if size is not None and (type(size) is not int or not 1 <= size <= _LARGEST):
            raise ConfigError(f"{key} should be a whole number from 1 to {_LARGEST}, got {size!r}", place, "Mend it")
    (width_key, width), (_, depth), (heads_key, heads) = (_first(fields, names) for names in (_WIDTH, _DEPTH, _HEADS))
    shared = fields.get("num_key_value_heads")
    if width and heads and not fields.get("head_dim") and width % heads:
        what = f"{width_key} {width} is no multiple of {heads_key} {heads}"
        raise ConfigError(what, place, "Change one of them, or set `head_dim`")
    if heads and shared and heads % shared:
        raise ConfigError(f"{heads_key} {heads} is no multiple of num_key_value_heads {shared}", place, "Mend it")
    return Sizes(width, depth)


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> tuple[str, Any]:
    return next(((name, fields[name]) for name in names if name in fields), (names[0], None))


def require_fit(settings: BaseModel, sizes: Sizes, *layers: Layer) -> None:
    """Refuse an adapter of a rank above the model's width, and layers that it does not have.

    Args:
        layers: what the settings were validated from.

    Raises:
        ConfigError: names file and key.
    """
    for location, choice in _choices(settings.model_dump(), ()):
        rank, numbers = choice.get("rank"), choice.get("layers") or [choice.get("layer")]
        if rank is not None and sizes.width is not None and rank > sizes.width:
            what = f"key '{_dotted(location)}.rank': {rank} is above the model's width, {sizes.width}"
            raise ConfigError(what, file_of(layers, (*location, "rank")), "Lower it")
        for number in numbers if choice.get("of") is None else ():
            if number is not None and sizes.depth is not None and number >= sizes.depth:
                key = "layers" if choice.get("layers") else "layer"
                remedy = "Lower it, or say in `of` how deep a model the number was chosen for"
                what = f"key '{_dotted(location)}.{key}': {missing(number, sizes.depth)}"
                raise ConfigError(what, file_of(layers, (*location, key)), remedy)


def _choices(value: Any, location: Location) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    """Yield every choice on an axis, a mapping with a name, and where it is."""
    if isinstance(value, Mapping):
        if "name" in value:
            yield location, value
        for key, inner in value.items():
            yield from _choices(inner, (*location, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _choices(inner, (*location, index))


def _dotted(location: Location) -> str:
    return ".".join(map(str, location))
