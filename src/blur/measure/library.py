"""What lm-eval's library has by a name, found without importing lm-eval: its index of tasks takes five seconds.

A name is that of a task, a group or a tag, which a YAML of the library gives. Only files that hold it are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

_NAME = re.compile(rb"^(?:task|group): *[\"']?([\w.+-]+)[\"']? *$", re.MULTILINE)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads `!function` as nothing: it names code."""


_Loader.add_constructor("!function", lambda loader, node: None)


@cache
def has(name: str, folder: Path | None = None) -> bool:
    """Whether lm-eval has a task, a group or a tag of that name.

    Args:
        folder: of the library's YAML files; by default that of the installed one.
    """
    wanted = name.encode()  # most files hold it nowhere
    return any(name in _names(text) for text in _texts(folder or _folder()) if wanted in text)


@cache
def known(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of tasks and groups that stand in the library's files as such."""
    texts = _texts(folder or _folder())
    return tuple(sorted({found.decode() for text in texts for found in _NAME.findall(text)}))


def _folder() -> Path:
    found = find_spec("lm_eval")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("no module named 'lm_eval'", name="lm_eval")
    return Path(found.origin).with_name("tasks")


def _texts(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*.yaml"):
        yield path.read_bytes()


def _names(text: bytes) -> set[str]:
    """Return the names that a file gives: its task's or group's, and its tags."""
    try:
        content: Any = yaml.load(text, _Loader)
    except yaml.YAMLError:  # lm-eval leaves it out as well
        return set()
    if not isinstance(content, dict):
        return set()
    tags = content.get("tag")
    given = [content.get("task"), content.get("group"), *(tags if isinstance(tags, list) else [tags])]
    return {name for name in given if isinstance(name, str)}  # a group's `task` is a list of others
