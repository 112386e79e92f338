"""Every name in a validated model (``blur.core.settings.Names``) is checked against what it names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from blur.config.load import Layer, Location, file_of, suggest, under
from blur.core.errors import ConfigError
from blur.core.settings import Names

# What is part of a path under `results/`; "base" and the like are models that no method makes.
PATTERNS = {
    "scale": r"[A-Za-z0-9_-]+",
    "task": r"[A-Za-z0-9_-]+",
    "method": r"(?!(?:base|target|retrained)(?:/|$))[a-z0-9_]+",
    "variant": r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*",
    "request": r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*",
    "sums": r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*(@[a-z0-9_]+)?",  # a request, and the alternates that count too
    "attack": r"[a-z0-9_]+",
    "figure": r"[A-Za-z0-9_-]+",
}
_MADE_OF = {
    "method": "small letters, digits and _, and is none of base, target, retrained",
    "attack": "small letters, digits and _",
    "variant": "letters, digits and _.+-, and begins with no dot",
    "request": "letters, digits and _.+-, and begins with no dot",
}
_PLAIN = (int, float, str, bool, NoneType, ...)


def require_name(kind: str, name: str, where: str) -> None:
    """Refuse a name that can be no part of a result's path, such as ``../x``.

    Raises:
        ConfigError: says what a name of that kind is made of.
    """
    if not re.fullmatch(PATTERNS[kind], name) or len(name) > 100:
        made_of = _MADE_OF.get(kind, "letters, digits, _ and -")
        raise ConfigError(f"{name!r} can be no {kind}'s name", where, f"A name is made of {made_of}: rename it")


def require_names(model: BaseModel, known: Mapping[str, Collection[str]], *layers: Layer) -> None:
    """Refuse a model in which some name (``blur.core.settings.Names``) is none of those that are known of its kind.

    Args:
        known: the names by kind; other kinds are not looked at. What a ``pattern`` names is any of them that it fits.
        layers: what the model was validated from.

    Raises:
        ConfigError: names the file that the name came from, its key, and the nearest name.
    """
    for location, kind, name in named(model):
        plain = kind.removesuffix(" pattern")
        if plain not in known:
            continue
        if not (name in known[plain] if plain == kind else fnmatch.filter(known[plain], name)):
            key = ".".join(part for part in location if isinstance(part, str))
            place, _ = under((file_of(layers, location), {}), key)
            raise ConfigError(f"no {kind} {name!r}", place, suggest(name, known[plain]))


def named(model: BaseModel) -> Iterator[tuple[Location, str, str]]:
    """Yield every name in a validated model: where it is, the kind of thing, the name."""
    for key, expected in _looked_at(type(model)):
        yield from _named(expected, getattr(model, key), (key,))


@cache
def _looked_at(kind: type[BaseModel]) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a model in which names can be, each with its type or its mark."""
    return tuple(
        (key, expected)
        for key, field in kind.model_fields.items()
        for expected in (field.annotation, *(mark for mark in field.metadata if isinstance(mark, Names)))
        if not _is_plain(expected)
    )


def _is_plain(expected: Any) -> bool:
    """Whether values of a type are numbers and texts that no mark calls names."""
    origin, parts = get_origin(expected), get_args(expected)
    if origin is Annotated:
        return _is_plain(parts[0]) and not any(isinstance(mark, Names) for mark in parts[1:])
    return expected in _PLAIN or origin is Literal or bool(parts and all(map(_is_plain, parts)))


def _named(expected: Any, value: Any, place: Location) -> Iterator[tuple[Location, str, str]]:
    """Yield the names in ``value``, which is of the type ``expected`` or has it as its mark."""
    origin, parts = get_origin(expected), get_args(expected)
    if isinstance(value, BaseModel):
        yield from (((*place, *location), kind, name) for location, kind, name in named(value))
    elif isinstance(expected, Names) and isinstance(value, str):
        yield place, expected.kind, expected.name(value)
    elif origin in (Annotated, Union, UnionType):
        for part in parts:
            yield from _named(part, value, place)
    elif isinstance(value, Mapping) and isinstance(origin, type) and isinstance(value, origin):
        for key, inner in value.items():
            yield from _named(parts[0], key, (*place, key))
            yield from _named(parts[1], inner, (*place, key))
    elif isinstance(value, tuple) and origin is tuple:
        for index, inner in enumerate(value):
            yield from _named(parts[0], inner, (*place, index))
