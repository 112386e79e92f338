"""The pluggable axes: each value of an axis is one module of a package, found by its name. Imports no torch."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, get_args

from pydantic import SerializeAsAny, ValidationError, WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import PydanticCustomError

from blur.core.settings import Strict
from blur.core.words import said


class Choice(Strict):
    """The value of an axis: ``name`` is the module it was found in."""

    name: str


class UnknownName(ValueError):
    """No value of an axis has that name; the message has the nearest one."""


INNER = "axis"  # type of a fault that holds, in its context, those of a choice's hyper-parameters


@cache
def available(package: str) -> tuple[str, ...]:
    """Return the names of an axis's values, sorted, importing none of them; ``base`` is what they have in common."""
    names = (module.name for module in iter_modules(import_module(package).__path__))
    return tuple(sorted(name for name in names if name != "base"))


def find(package: str, class_name: str, name: str) -> type[Any]:
    """Return the class of a value of an axis.

    Args:
        package, class_name: as of ``build``.

    Raises:
        UnknownName: there is no such value, or its module is not made as the others of the axis are.
    """
    names = available(package)
    if name not in names:
        nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise UnknownName(f"no {name!r} among {', '.join(names)}{hint}")
    module = f"{package}.{name}"
    found: type[Any] | None = getattr(import_module(module), class_name, None)
    if found is None:
        raise UnknownName(f"{module} has no class {class_name!r}")
    named = get_args(found.model_fields["name"].annotation) if "name" in found.model_fields else ()
    if named and named != (name,):
        raise UnknownName(f"{module}: the class says `name: Literal[{named[0]!r}]`; it has to be the file's name")
    return found


def build(package: str, class_name: str, value: Any) -> Choice:
    """Turn a name, or a mapping with ``name`` and hyper-parameters, into the value's settings.

    Args:
        package: package of the axis, such as ``blur.unlearn.losses``.
        class_name: class that each of its modules defines.
        value: ``"npo"``, ``{"name": "npo", "beta": 0.1}`` or an instance.

    Raises:
        ValueError: no such name (the message has the nearest one), or wrong hyper-parameters.
    """
    if isinstance(value, Choice):
        return value
    settings = {"name": value} if isinstance(value, str) else value
    if not isinstance(settings, dict) or not isinstance(settings.get("name"), str):
        raise ValueError(f"give a name, one of {', '.join(available(package))}, or a mapping with `name`")
    name = settings["name"]
    choice: type[Choice] = find(package, class_name, name)
    try:
        return choice.model_validate(settings)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        told = "; ".join(_said(choice, fault) for fault in faults)
        raise PydanticCustomError(
            INNER, "{said}", {"said": f"{name}: {told}", "faults": faults, "of": choice}
        ) from None


def _said(choice: type[Choice], fault: Mapping[str, Any]) -> str:
    key, message = ".".join(map(str, fault["loc"])), said(fault)
    if not key:  # a check of several hyper-parameters together
        return message
    if fault["type"] == "missing":
        return f"{key!r} {message}"
    if key in choice.model_fields or "." in key:
        return f"{key}: {message}, got {reprlib.repr(fault['input'])}"
    known = [field for field in choice.model_fields if field != "name"]
    nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(known) or 'none'}"
    return f"no parameter {key!r}; {hint}"


class Axis:
    """Annotation that makes a pydantic field a choice on an axis: ``Annotated[LossBase, Axis(package, "Loss")]``."""

    def __init__(self, package: str, class_name: str) -> None:
        self.package, self.class_name = package, class_name

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return SerializeAsAny().__get_pydantic_core_schema__(
            source, lambda kind: WrapValidator(self._validate).__get_pydantic_core_schema__(kind, handler)
        )

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        names = available(self.package)
        settings = {"type": "object", "properties": {"name": {"enum": list(names)}}, "required": ["name"]}
        return {"anyOf": [{"enum": list(names)}, settings]}

    def _validate(self, value: Any, handler: ModelWrapValidatorHandler[Any]) -> Choice:
        return build(self.package, self.class_name, value)
