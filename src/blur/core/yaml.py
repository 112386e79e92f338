"""YAML, read by libyaml where PyYAML has it (its wheels do): ten times as fast as in Python.

Stricter than PyYAML: a key given twice in one mapping is refused, where PyYAML lets the last one win.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from blur.core.errors import ConfigError

MAX_DEPTH = 100
MAX_VALUES = 100_000  # with each alias counted as all that it stands for
_MANY = 5000  # far more than MAX_DEPTH, far less than what overflows libyaml's stack


class _Telling:
    """A value that Python refuses (an integer of 5000 digits, 30 February) is a fault of the YAML, with its line."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except ValueError as error:
            raise ConstructorError(None, None, str(error), node.start_mark) from None


class _Python(_Telling, yaml.SafeLoader):
    """PyYAML's own loader."""


class _Fast(_Telling, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml."""


def load(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        yaml.YAMLError: it is no YAML, in the words of PyYAML's own loader; a key is given twice; or it is nested too
            deep.
    """
    if not _may_be_deep(text):
        try:
            return _load(text, _Fast)
        except yaml.YAMLError:
            pass
    try:
        return _load(text, _Python)
    except RecursionError:
        raise yaml.YAMLError(f"nested more than {MAX_DEPTH} deep") from None


def read(path: Path) -> Any:
    """Return what a YAML file says.

    Raises:
        ConfigError: it cannot be read, is not UTF-8, or is no YAML; names the file and, where there is one, the line.
    """
    try:
        return load(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", str(path), "Name a readable file") from None
    except UnicodeDecodeError as error:
        what = f"not UTF-8 (byte {error.start + 1})"
        raise ConfigError(what, str(path), "Convert the file: iconv -t utf-8 -f <its encoding>") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = " ".join(str(getattr(error, "problem", None) or error).split())
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ConfigError(f"not valid YAML ({said})", place, "Mend it") from None


def _may_be_deep(text: str) -> bool:
    """Whether libyaml, which nests without bounds, might overflow its stack."""
    margin = max((len(line) - len(line.lstrip(" -?:")) for line in text.splitlines()), default=0)
    return text.count("[") + text.count("{") + margin > _MANY


def _load(text: str, kind: type[Any]) -> Any:
    loader = kind(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node, 0, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check(node: Node, depth: int, sizes: dict[int, int]) -> int:
    """Refuse keys given twice, what is nested too deep or in itself, and few lines that aliases make too many values.

    Args:
        sizes: of what was looked at before, by its identity.

    Returns:
        The number of values in the node.
    """
    if depth > MAX_DEPTH:
        raise ConstructorError(None, None, f"nested more than {MAX_DEPTH} deep", node.start_mark)
    if isinstance(node, ScalarNode):
        return 1
    if id(node) in sizes:
        return sizes[id(node)]
    if isinstance(node, MappingNode):
        _check_keys(node)
    inner = (one for part in node.value for one in (part if isinstance(part, tuple) else (part,)))
    size = 1 + sum(_check(one, depth + 1, sizes) for one in inner)
    if size > MAX_VALUES:
        raise ConstructorError(None, None, f"more than {MAX_VALUES} values, by its aliases", node.start_mark)
    sizes[id(node)] = size
    return size


def _check_keys(node: MappingNode) -> None:
    first: dict[tuple[str, str], Node] = {}
    for key, _ in node.value:
        if isinstance(key, ScalarNode):
            earlier = first.setdefault((key.tag, key.value), key)
            if earlier is not key:
                what = f"the key {key.value!r} is given twice, in line {earlier.start_mark.line + 1} before"
                raise ConstructorError(None, None, what, key.start_mark)
