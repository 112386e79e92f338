"""One repository of the hub: a folder of files, and in ``.hub.json`` how it misbehaves."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

BEHAVIOUR = ".hub.json"
KINDS = ("models", "datasets")
LARGE = (".safetensors", ".parquet", ".arrow", ".bin", ".gz")  # what the hub keeps outside git, under its SHA-256


@dataclass(frozen=True)
class File:
    """A file of a repository, as the hub tells of it."""

    path: str
    content: bytes

    @property
    def is_large(self) -> bool:
        return self.path.endswith(LARGE)

    @cached_property
    def oid(self) -> str:
        """The hash that git has of the file; of a large one, of the pointer that stands for it."""
        content = self._pointer if self.is_large else self.content
        return hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def _pointer(self) -> bytes:
        told = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        return told.encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_large else self.oid

    def told(self) -> dict[str, Any]:
        """What ``/tree`` and ``/paths-info`` say."""
        made: dict[str, Any] = {"type": "file", "path": self.path, "oid": self.oid, "size": len(self.content)}
        if self.is_large:
            made["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": len(self._pointer)}
        return made


@dataclass(frozen=True)
class Behaviour:
    """What a test, or the real hub, does with a repository.

    Attributes:
        renamed: its new name; every route answers 307 to it.
        gated: only who has been granted access may read files.
        cut: by file, the bytes after which each answer breaks off; 0 breaks off at once whatever is asked for.
        resumes: whether an answer from a later byte is whole, or breaks off at once.
        spoilt: files that come with one byte changed, under the hash of the right content.
        hidden: files that it does not have.
        missing: there is no such repository.
    """

    renamed: str | None = None
    gated: bool = False
    cut: dict[str, int] = field(default_factory=dict)
    resumes: bool = True
    spoilt: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True)
class Repository:
    """A folder that the hub serves under ``<kind>/<name>``."""

    kind: str
    name: str
    folder: Path

    @property
    def behaviour(self) -> Behaviour:
        file = self.folder / BEHAVIOUR
        return Behaviour(**json.loads(file.read_text())) if file.is_file() else Behaviour()

    def behave(self, **how: Any) -> None:
        """Say how the hub answers for this repository from now on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / BEHAVIOUR).write_text(json.dumps(how))

    @contextmanager
    def behaving(self, **how: Any) -> Iterator[None]:
        """Answer so for a while; where the repository is renamed, it is found under the new name."""
        usual, new = self.behaviour, how.get("renamed")
        if new:
            shutil.copytree(self.folder, self.folder.parents[1] / new, dirs_exist_ok=True)
        self.behave(**{**asdict(usual), **how})
        try:
            yield
        finally:
            self.behave(**asdict(usual))

    @property
    def files(self) -> dict[str, File]:
        how = self.behaviour
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file() and path.name != BEHAVIOUR)
        names = {path.relative_to(self.folder).as_posix(): path for path in paths if not how.missing}
        return {name: File(name, path.read_bytes()) for name, path in names.items() if name not in how.hidden}

    def commit(self, files: dict[str, File]) -> str:
        """The commit that ``main`` is at: it follows from the files alone."""
        return hashlib.sha1("".join(f"{name} {file.oid}\n" for name, file in files.items()).encode()).hexdigest()

    def holds(self, revision: str, files: dict[str, File]) -> bool:
        return revision in ("main", "HEAD", self.commit(files))


def repository(root: Path, kind: str, name: str) -> Repository:
    """Return a repository of a hub's folder, whether or not it is there."""
    return Repository(kind, name, root / kind / name)


def write(root: Path, kind: str, name: str, files: dict[str, bytes]) -> Repository:
    """Put a repository into a hub's folder."""
    made = repository(root, kind, name)
    for path, content in files.items():
        (made.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / path).write_bytes(content)
    return made
