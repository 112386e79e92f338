"""Reading YAML files and turning what is wrong with them into errors that name file, key and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from yaml import YAMLError

from blur.core import yaml
from blur.core.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
Layer = tuple[str, Mapping[str, Any]]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML file whose top level is a mapping.

    Raises:
        ConfigError: the file is missing, is no YAML, or its top level is no mapping.
    """
    if not path.is_file():
        others = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError("no such file", str(path), suggest(path.stem, others))
    try:
        content = yaml.load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"not valid YAML ({getattr(error, 'problem', error)})", f"{path}{line}", "Mend it") from error
    if not isinstance(content, dict):
        raise ConfigError("the top level must be a mapping of keys to values", str(path), "Mend it")
    return content


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest to ``name``, and list them all."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}Known: {', '.join(known) if known else 'none'}"


def require_known(kind: str, name: str, known: Iterable[str], where: str) -> None:
    """Refuse a name that is none of ``known``.

    Raises:
        ConfigError: names ``where`` it was typed, and the nearest known name.
    """
    known = list(known)
    if name not in known:
        raise ConfigError(f"no {kind} {name!r}", where, suggest(name, known))


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key, later ones winning; lists and values are replaced whole.

    A mapping that names another ``name`` or ``kind`` than the one below it replaces it whole: the parameters of one
    combination (or source) mean nothing to another.
    """
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(below, Mapping) and isinstance(value, Mapping) and not _renamed(below, value):
                result[key] = merge(below, value)
            else:
                result[key] = value
    return result


def _renamed(below: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    return any(k in above and k in below and above[k] != below[k] for k in ("name", "kind"))


def under(layer: Layer, *keys: str) -> Layer:
    """Return what a layer says below ``keys``, nothing where it is silent, and how an error names that place."""
    name, content = layer
    for key in keys:
        content = content.get(key) or {}
    return f"{name}{'.' if ': ' in name else ': '}{'.'.join(keys)}", content


def validate(model: type[Model], *layers: Layer) -> Model:
    """Validate the merge of ``layers`` (pairs of file name and content) against ``model``.

    Raises:
        ConfigError: names the file that the wrong key came from, the key, what is allowed, and the nearest name.
    """
    merged = merge(*(content for _, content in layers))
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise _config_error(model, layers, error) from None


def _said(fault: Any) -> str:
    """Return what is wrong with a value, in words of YAML."""
    words = {
        "tuple_type": "should be a list",
        "dict_type": "should be a mapping",
        "mapping_type": "should be a mapping",
    }
    return words.get(fault["type"], fault["msg"].removeprefix("Value error, "))


def _config_error(model: type[BaseModel], layers: tuple[Layer, ...], error: ValidationError) -> ConfigError:
    faults = error.errors(include_url=False)
    # A misspelt key is also a missing one: the first says more.
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    location = tuple(first["loc"])
    file = _file_of(layers, location)
    key = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        allowed = _fields_at(model, location[:-1])
        return ConfigError(f"unknown key {key!r}", file, suggest(str(location[-1]), allowed))
    if first["type"] == "missing":
        return ConfigError(f"key {key!r} is missing", file, "Add it")
    if not key:
        return ConfigError(_said(first), file, "Mend it")
    got = f", got {first['input']!r}" if not isinstance(first["input"], dict) else ""
    return ConfigError(f"key {key!r}: {_said(first)}{got}", file, "Mend it")


def _file_of(layers: Sequence[Layer], location: tuple[int | str, ...]) -> str:
    """Return the name of the layer that a value came from; of the last one that says anything where none has it."""
    speaking = [layer for layer in layers if layer[1]] or layers[-1:]
    holding = [layer for layer in speaking if _holds(layer[1], location)]
    return (holding or speaking)[-1][0]


def _holds(content: Any, location: tuple[int | str, ...]) -> bool:
    """Whether ``content`` has a value at ``location``; parts that name a union's branch are passed over."""
    for part in location:
        if isinstance(content, list):
            if not isinstance(part, int) or part >= len(content):
                return False
            content = content[part]
        elif isinstance(content, Mapping) and part in content:
            content = content[part]
        elif isinstance(content, Mapping) and part in (content.get("kind"), content.get("name")):
            continue
        else:
            return False
    return True


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model found by walking ``location`` from ``model``."""
    models = [model]
    for part in location:
        fields = [owner.model_fields[part] for owner in models if part in owner.model_fields]
        if fields:  # other parts are places in a list or branches of a union
            models = [found for field in fields for found in _models_in(field.annotation)] or models
    return sorted({name for owner in models for name in owner.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _models_in(inner)]
