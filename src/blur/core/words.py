"""What is wrong with a value of YAML, in plain words: pydantic's faults, retold; and what settings there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

_WHOLE, _NUMBER = "should be a whole number", "should be a number"
_MAPPING, _LIST = "should be a mapping", "should be a list"
_WORDS = {
    "missing": "is missing",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "string_type": "should be a text",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "string_too_short": "should not be empty",
    "string_pattern_mismatch": "should be of the form {pattern}",
    "too_short": "should have at least {min_length} item(s), not {actual_length}",
    "too_long": "should have at most {max_length} item(s), not {actual_length}",
}


def said(fault: Mapping[str, Any]) -> str:
    """Return what is wrong with a value: a fault of pydantic's ``ValidationError.errors``."""
    words = _WORDS.get(fault["type"])
    if words is None:
        return str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return words.format(**fault.get("ctx", {}))


def described(kind: type[BaseModel], but: Collection[str] = ()) -> str:
    """Return what a class of settings is, by its docstring, and a line for each setting.

    Args:
        but: names of settings to leave out.
    """
    lines = [
        f"    {name}: {'no default' if field.is_required() else field.default}"
        + (f"; {field.description}" if field.description else "")
        for name, field in kind.model_fields.items()
        if name not in but
    ]
    return "\n".join([kind.__doc__ or "", *(["Settings:", *lines] if lines else [])])
