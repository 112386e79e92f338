"""Reading YAML files and turning what is wrong with them into errors that name file, key and remedy."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from blur.core import yaml
from blur.core.choice import INNER, UnknownName, find
from blur.core.errors import ConfigError
from blur.core.words import said

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]
Layer = tuple[str, Mapping[str, Any]]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML file whose top level is a mapping.

    Raises:
        ConfigError: the file is missing, cannot be read, is no YAML, or its top level is no mapping.
    """
    if not path.is_file():
        others = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError("no such file", str(path), suggest(path.stem, others))
    content = yaml.read(path)
    if not isinstance(content, dict):
        raise ConfigError("the top level must be a mapping of keys to values", str(path), "Mend it")
    return content


SHOWN = 100  # names that an error lists


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest to ``name``, and list them: the nearest ones where there are many."""
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    if len(known) > SHOWN:
        near = difflib.get_close_matches(name, known, n=SHOWN, cutoff=0.0)
        return f"{hint}Nearest of {len(known)}: {', '.join(near)}"
    return f"{hint}Known: {', '.join(known) or 'none'}"


def require_known(kind: str, name: str, known: Iterable[str], where: str) -> None:
    """Refuse a name that is none of ``known``.

    Raises:
        ConfigError: names ``where`` it was typed, and the nearest known name.
    """
    known = list(known)
    if name not in known:
        raise ConfigError(f"no {kind} {name!r}", where, suggest(name, known))


def choice_of(package: str, class_name: str, name: str, where: str) -> type[Any]:
    """Return the class of an axis's value that one key names; other keys hold what is validated against it.

    Args:
        package, class_name: as of ``blur.core.choice.build``.

    Raises:
        ConfigError: there is no such value; names ``where`` it was typed, and the nearest one.
    """
    try:
        return find(package, class_name, name)
    except UnknownName as error:
        raise ConfigError(str(error), where) from None


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


def speaker(layers: Sequence[Layer]) -> str:
    """Return the name of the last layer that says anything; of the first where none does."""
    return next((name for name, content in reversed(layers) if content), layers[0][0])


def validate(model: type[Model], *layers: Layer) -> Model:
    """Validate the merge of ``layers`` (pairs of file name and content) against ``model``, and what later ones replace.

    Raises:
        ConfigError: names the file that the wrong key came from, the key, what is allowed, and the nearest name.
    """
    speaking = [place for place, (_, content) in enumerate(layers) if content]
    validate_unused(model, *layers[: speaking[-1] if speaking else 0])
    merged = merge(*(content for _, content in layers))
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise _config_error(layers, merged, list(_all_faults(model, error.errors(include_url=False)))) from None


def validate_unused(model: type[Model], *layers: Layer) -> Model | None:
    """Check what each layer says, though nothing uses it: others may add a key, replace it, or settle a contradiction.

    Returns:
        The model, where nothing has to be added to it.

    Raises:
        ConfigError: as ``validate`` does.
    """
    found = None
    for place in (place for place, (_, content) in enumerate(layers) if content):
        upto = layers[: place + 1]
        merged = merge(*(content for _, content in upto))
        try:
            found = model.model_validate(merged)
        except ValidationError as error:
            found = None
            faults = list(_all_faults(model, error.errors(include_url=False)))
            if said := [fault for fault in faults if not _may_be_settled(fault)]:
                raise _config_error(upto, merged, said) from None
    return found


def _may_be_settled(fault: Mapping[str, Any]) -> bool:
    return fault["type"] == "missing" or (fault["type"] == "value_error" and isinstance(fault["input"], dict))


def _config_error(layers: Sequence[Layer], merged: Mapping[str, Any], faults: Sequence[Any]) -> ConfigError:
    # A misspelt key is also a missing one: the first says more.
    fault = next((fault for fault in faults if fault["type"] in _UNKNOWN), faults[0])
    location = _typed(merged, fault["loc"])
    file = file_of(layers, location, whole=fault["type"] == "value_error")
    key = ".".join(str(part) for part in location)
    if fault["type"] in _UNKNOWN:
        return ConfigError(f"unknown key {key!r}", file, suggest(str(location[-1]), _fields_at(*fault["owner"])))
    if fault["type"] == "missing":
        return ConfigError(f"key {key!r} is missing", file, "Add it")
    if not key:
        return ConfigError(_wrong_with(fault), file, "Mend it")
    got = f", got {_shown(fault['input'])}" if not isinstance(fault["input"], dict) else ""
    return ConfigError(f"key {key!r}: {_wrong_with(fault)}{got}", file, "Mend it")


_UNKNOWN = ("extra_forbidden", "invalid_key")
UNKNOWN_NAME = "unknown_name"
_TAGS = {"union_tag_not_found": "missing", "union_tag_invalid": "no_such_tag"}


def _all_faults(model: type[BaseModel], faults: Iterable[Any], inside: Location = ()) -> Iterator[dict[str, Any]]:
    """Yield faults, those of a choice on an axis one by one, each with the model that has the key and where in it."""
    for fault in faults:
        location = (*inside, *fault["loc"])
        if fault["type"] == INNER:
            yield from _all_faults(fault["ctx"]["of"], fault["ctx"]["faults"], location)
        elif _is_unknown_name(fault) and isinstance(fault["input"], dict):
            yield {**fault, "type": UNKNOWN_NAME, "loc": (*location, "name"), "input": fault["input"]["name"]}
        elif fault["type"] in _TAGS:
            key = fault["ctx"]["discriminator"].strip("'")
            yield {**fault, "type": _TAGS[fault["type"]], "loc": (*location, key), "input": fault["input"].get(key)}
        else:
            yield {**fault, "loc": location, "owner": (model, fault["loc"][:-1])}


def _is_unknown_name(fault: Mapping[str, Any]) -> bool:
    """Whether a choice is none of its axis: no other layer can make it one but by another name."""
    return isinstance(fault.get("ctx", {}).get("error"), UnknownName)


def _wrong_with(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a value, in words of YAML."""
    return f"should be one of {fault['ctx']['expected_tags']}" if fault["type"] == "no_such_tag" else said(fault)


def _shown(value: Any) -> str:
    """Return a value as an error shows it, as YAML writes it, however long it is."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    return reprlib.repr(value)


def _typed(merged: Any, location: Location) -> Location:
    """Return a fault's location as it was typed, without the parts that name the branch of a union."""
    typed: list[int | str] = []
    for place, part in enumerate(location):
        if _has(merged, part):
            merged = merged[part]
        elif place < len(location) - 1 or not isinstance(merged, Mapping):
            continue
        typed.append(part)
    return tuple(typed)


def _has(content: Any, part: int | str) -> bool:
    if isinstance(content, Mapping):
        return part in content
    return isinstance(content, list | tuple) and isinstance(part, int) and part < len(content)


def file_of(layers: Sequence[Layer], location: Location, whole: bool = False) -> str:
    """Return the name of the layer that a value came from, or would be looked for in first where no layer has it.

    Args:
        whole: the value is at fault as a whole: all layers are named that say a part of it.
    """
    holding: list[tuple[str, Any]] = [layer for layer in layers if layer[1]] or list(layers[-1:])
    for part in location:
        inner = [(name, content[part]) for name, content in holding if _has(content, part)]
        if not inner:
            return holding[0][0]
        holding = _merged_layers(inner)
    return " + ".join(name for name, _ in holding) if whole else holding[-1][0]


def _merged_layers(layers: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return those of the layers of a value that later ones leave something of (see ``merge``)."""
    kept: list[tuple[str, Any]] = []
    for name, value in layers:
        below = merge(*(content for _, content in kept)) if kept and isinstance(kept[0][1], Mapping) else None
        goes_on = below is not None and isinstance(value, Mapping) and not _renamed(below, value)
        kept = [*kept, (name, value)] if goes_on else [(name, value)]
    return kept


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """Names of the fields of the model found by walking ``location`` from ``model``."""
    models = [model]
    for part in location:
        fields = [owner.model_fields[part] for owner in models if part in owner.model_fields]
        if fields:
            models = [found for field in fields for found in _models_in(field.annotation)] or models
        else:  # a place in a list, or a branch of a union, which the literal of its `kind` tells
            models = [one for one in models if part in _literals(one)] or models
    return sorted({name for owner in models for name in owner.model_fields})


def _literals(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]
