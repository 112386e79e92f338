"""Fingerprint of the code a job uses, blind to what cannot change its result.

The fingerprint is taken from the syntax trees of the root modules and of every ``blur`` module that they import,
directly or not: whole modules, of whose text ``blur.core.syntax`` says what counts. ``LEFT_OUT`` names the modules that
do not, and why. What is found by its name is imported by nobody: whoever makes a key names it as a root. An import
under ``if TYPE_CHECKING`` never runs, and whoever makes an object imports its class.

Reading some hundred modules takes a second. What was read of a module is known by the hash of its text, so that a
process can keep it for the next one (``save``, ``load``).
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from blur.core import syntax
from blur.core.files import read_json, write_json
from blur.core.paths import WORK

PACKAGE = "blur"
SOURCE = Path(__file__).resolve().parents[1]
NUMERICS_EPOCH = 1  # raise it when a library update changes results and every job has to run again
CODE = WORK / "code.json"  # what a checkout's processes have read of modules
CONFIGURATION = f"{PACKAGE}.config"
LEFT_OUT = {
    PACKAGE: "the version, which manifests record",
    f"{PACKAGE}.cli": "it resolves a job's settings, which are in its key, and calls the stage",
    CONFIGURATION: "with all below it: it makes the settings and names the inputs that a job's key and rule hold",
    f"{PACKAGE}.core.commit": "what `made.json` says of the checkout",
    f"{PACKAGE}.core.extras": "the remedies that errors name",
    f"{PACKAGE}.core.hub": "the remedies that errors name, and the refusal of a download that is not whole",
    f"{PACKAGE}.core.kept": "a result that is kept and put back is one of the same key",
    f"{PACKAGE}.core.locking": "who waits for whom",
    f"{PACKAGE}.core.processes": "what a job costs",
    f"{PACKAGE}.core.progress": "what a person sees while a job runs",
    f"{PACKAGE}.core.remedy": "the commands that errors name",
    f"{PACKAGE}.core.shipped": "where a file lies whose content is in a key",
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


class _Import(NamedTuple):
    """An import as it is written, ``from <level dots><module> import <names>``; ``import <names>`` has no module."""

    level: int
    module: str | None
    names: tuple[str, ...]


class _Code(NamedTuple):
    """What a key takes from a module: the hash of what counts of its text, and its imports."""

    digest: str
    imports: tuple[_Import, ...]


# By the hash of a module's text and of what reads it: what an earlier process has read, and what this one has.
_KNOWN: dict[str, _Code] = {}
_READ: dict[str, _Code] = {}


def load(path: Path = CODE) -> None:
    """Know what an earlier process has read of modules, if its file is there and whole."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for of, (digest, imports) in read_json(path).items():
            _KNOWN[of] = _Code(digest, tuple(_Import(level, base, tuple(names)) for level, base, names in imports))


def save(path: Path = CODE) -> None:
    """Write what this process has read of modules, where the file does not say it already.

    Where it cannot be written (a full disk, a folder of others), the next process reads the code itself.
    """
    if not _READ.keys() <= _KNOWN.keys():
        with suppress(OSError):
            write_json(path, _READ)


@cache
def _reader() -> bytes:
    """What stands for the way modules are read."""
    files = (Path(__file__), Path(syntax.__file__))
    return b"".join([*(path.read_bytes() for path in files), repr(sys.version_info[:2]).encode()])


@lru_cache(maxsize=512)
def _code(path: Path) -> _Code:
    text, is_settings = path.read_bytes(), path.name == "settings.py"
    of = hashlib.sha256(b"\0".join([_reader(), bytes([is_settings]), text])).hexdigest()
    found = _KNOWN.get(of)
    if found is None:
        tree = syntax.tree_of(text.decode(), is_settings)
        found = _Code(hashlib.sha256(syntax.text_of(tree).encode()).hexdigest(), tuple(_written_imports(tree)))
    _READ[of] = found
    return found


@lru_cache(maxsize=512)
def _imports(path: Path, name: str, source: Path) -> tuple[str, ...]:
    return tuple(sorted(set(_imported_modules(_code(path).imports, name, path.name == "__init__.py", source))))


def _imported_modules(imports: Iterable[_Import], name: str, is_package: bool, source: Path) -> Iterator[str]:
    for one in imports:
        base = _absolute(one, name, is_package)
        if base is None:
            yield from (other for other in one.names if other.split(".")[0] == PACKAGE)
        elif base.split(".")[0] == PACKAGE:
            yield base
            yield from (f"{base}.{other}" for other in one.names if _find(f"{base}.{other}", source))


def _written_imports(tree: ast.Module) -> Iterator[_Import]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield _Import(0, None, tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom):
            yield _Import(node.level, node.module or "", tuple(alias.name for alias in node.names))


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements (and the handlers and cases around some): imports stand nowhere else."""
    for field in _BLOCKS:
        for node in getattr(tree, field, ()):
            yield node
            yield from _statements(node)


def _absolute(one: _Import, name: str, is_package: bool) -> str | None:
    """Return the module that names are imported from, in the module ``name``; None for ``import <names>``."""
    if not one.level:
        return one.module
    parts = name.split(".")
    parts = parts[: len(parts) - one.level + (1 if is_package else 0)]
    return ".".join([*parts, one.module] if one.module else parts)


def _module_digest(path: Path) -> str:
    return _code(path).digest
