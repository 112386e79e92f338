"""Fingerprint of the code a job uses, blind to comments, docstrings and layout.

The fingerprint is taken from the syntax trees of the root modules and of every ``blur`` module that they import,
directly or not. Configuration models, the command line, the version and module look-ups by name are left out: the
resolved settings cover the first two, manifests the third, and what a look-up finds is named as a root. So are
commands that errors name, cards, locks, costs and what is kept, which change no result, and imports under ``if
TYPE_CHECKING``: they never run, and whoever makes an object imports its class. The serialisation skips empty fields and
positions, so that Python 3.11, 3.12 and 3.13 give the same text.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

PACKAGE = "blur"
SOURCE = Path(__file__).resolve().parents[1]
NUMERICS_EPOCH = 1  # raise it when a library update changes results and every job has to run again
LEFT_OUT = {  # modules that change no result, besides the configuration's
    PACKAGE,
    f"{PACKAGE}.cli",
    *(f"{PACKAGE}.core.{name}" for name in ("kept", "locking", "processes", "remedy")),
    f"{PACKAGE}.stages.card",
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
_SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}


def fingerprint(roots: Iterable[str], source: Path = SOURCE) -> str:
    """Return 16 hexadecimal digits that change when the behaviour of ``roots`` or of what they import may change.

    Args:
        roots: module names such as ``blur.unlearn.loop``.
        source: folder of the ``blur`` package.

    Raises:
        ModuleNotFoundError: a root is no module of the package.
    """
    return _fingerprint(tuple(sorted(set(roots))), source)


def closure(roots: Iterable[str], source: Path = SOURCE) -> set[str]:
    """Return the names of the modules that the fingerprint of ``roots`` covers."""
    return set(_closure(tuple(sorted(set(roots))), source))


def remember(names: Iterable[str], source: Path = SOURCE) -> None:
    """Read the code of those modules that are the package's: fingerprints in this process and its forks need not.

    No file may change in between.
    """
    for name in names:
        if path := _find(name, source):
            _module_digest(path)
            _imports(path, name, source)


@lru_cache(maxsize=512)
def _fingerprint(roots: tuple[str, ...], source: Path) -> str:
    modules = sorted(_closure(roots, source))
    text = "\n".join(f"{name} {_module_digest(_path(name, source))}" for name in modules)
    return hashlib.sha256(f"{NUMERICS_EPOCH}\n{text}".encode()).hexdigest()[:16]


@lru_cache(maxsize=512)
def _closure(roots: tuple[str, ...], source: Path) -> frozenset[str]:
    pending, seen = list(roots), set[str]()
    while pending:
        name = pending.pop()
        if name in seen or _is_left_out(name):
            continue
        seen.add(name)
        pending.extend(_imports(_path(name, source), name, source))
    return frozenset(seen)


def _is_left_out(name: str) -> bool:
    return name in LEFT_OUT or name.startswith(f"{PACKAGE}.config") or name.endswith(".settings")


def _path(name: str, source: Path) -> Path:
    found = _find(name, source)
    if found is None:
        raise ModuleNotFoundError(f"no module named {name!r} in {source}", name=name)
    return found


@lru_cache(maxsize=4096)
def _find(name: str, source: Path) -> Path | None:
    """Return a module's file; None where the package has no module of that name."""
    base = source.joinpath(*name.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file() and name.split(".")[0] == PACKAGE:
            return path
    return None


@lru_cache(maxsize=512)
def _tree(path: Path) -> ast.Module:
    """Return a module's syntax tree without what it imports for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    return tree


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@lru_cache(maxsize=512)
def _imports(path: Path, name: str, source: Path) -> tuple[str, ...]:
    return tuple(sorted(set(_imported_modules(_tree(path), name, path.name == "__init__.py", source))))


def _imported_modules(tree: ast.Module, name: str, is_package: bool, source: Path) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, name, is_package)
            if base.split(".")[0] == PACKAGE:
                yield base
                yield from (f"{base}.{a.name}" for a in node.names if _find(f"{base}.{a.name}", source))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements (and the handlers and cases around some): imports stand nowhere else."""
    for field in _BLOCKS:
        for node in getattr(tree, field, ()):
            yield node
            yield from _statements(node)


def _absolute(node: ast.ImportFrom, name: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*parts, node.module] if node.module else parts)


@lru_cache(maxsize=512)
def _module_digest(path: Path) -> str:
    parts: list[str] = []
    _serialise(_tree(path), parts)
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _serialise(node: object, parts: list[str]) -> None:
    """Append the text of ``node`` to ``parts``."""
    if isinstance(node, ast.AST):
        parts.append(f"({type(node).__name__}")
        for field, value in ast.iter_fields(node):
            value = _without_docstring(node, field, value)
            if isinstance(node, ast.JoinedStr) and isinstance(value, list):
                value = _join_literals(value)
            if field in _SKIPPED_FIELDS or value is None or value == []:
                continue
            parts.append(f" {field}=")
            _serialise(value, parts)
        parts.append(" None)" if isinstance(node, ast.Constant) and node.value is None else ")")
    elif isinstance(node, list):
        parts.append("[")
        for item in node:
            _serialise(item, parts)
            parts.append(",")
        parts.append("]")
    else:
        parts.append(f"{type(node).__name__}:{node!r}")


def _join_literals(values: list[ast.expr]) -> list[ast.expr]:
    """Merge neighbouring literal parts of an f-string and drop empty ones: Python 3.12 has more of both."""
    merged: list[ast.expr] = []
    for value in values:
        last = merged[-1] if merged else None
        if isinstance(last, ast.Constant) and isinstance(value, ast.Constant):
            merged[-1] = ast.Constant(str(last.value) + str(value.value))
        else:
            merged.append(value)
    return [v for v in merged if not (isinstance(v, ast.Constant) and v.value == "")]


def _without_docstring(node: ast.AST, field: str, value: object) -> object:
    if field != "body" or not isinstance(node, _DOCUMENTED) or not isinstance(value, list) or not value:
        return value
    first = value[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return value[1:] if is_text else value
