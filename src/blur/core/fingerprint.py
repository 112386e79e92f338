"""Fingerprint of the code a job uses, blind to what cannot change its result.

The fingerprint is taken from the syntax trees of the root modules and of every ``blur`` module that they import,
directly or not: whole modules, of whose text ``blur.core.syntax`` says what counts. ``LEFT_OUT`` names the modules that
do not, and why. What is found by its name is imported by nobody: whoever makes a key names it as a root. An import
under ``if TYPE_CHECKING`` never runs, and whoever makes an object imports its class.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from blur.core.syntax import text_of, tree_of

PACKAGE = "blur"
SOURCE = Path(__file__).resolve().parents[1]
NUMERICS_EPOCH = 1  # raise it when a library update changes results and every job has to run again
CONFIGURATION = f"{PACKAGE}.config"
LEFT_OUT = {
    PACKAGE: "the version, which manifests record",
    f"{PACKAGE}.cli": "it resolves a job's settings, which are in its key, and calls the stage",
    CONFIGURATION: "with all below it: it makes the settings and names the inputs that a job's key and rule hold",
    f"{PACKAGE}.core.commit": "what `made.json` says of the checkout",
    f"{PACKAGE}.core.hub": "the remedies that errors name, and the refusal of a download that is not whole",
    f"{PACKAGE}.core.kept": "a result that is kept and put back is one of the same key",
    f"{PACKAGE}.core.locking": "who waits for whom",
    f"{PACKAGE}.core.processes": "what a job costs",
    f"{PACKAGE}.core.progress": "what a person sees while a job runs",
    f"{PACKAGE}.core.remedy": "the commands that errors name",
    f"{PACKAGE}.core.usage": "what a job spends, and on what",
    f"{PACKAGE}.core.words": "the words of errors",
    f"{PACKAGE}.stages.card": "the words of a model's card",
    f"{PACKAGE}.stages.tracking": "where records of steps go besides the result",
}
_BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")


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
    return name in LEFT_OUT or name.startswith(f"{CONFIGURATION}.")


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
    """Return what counts of a module's syntax tree."""
    return tree_of(path.read_text(encoding="utf-8"), is_settings=path.name == "settings.py")


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
    return hashlib.sha256(text_of(_tree(path)).encode()).hexdigest()
