"""Where a command works: ``OUT.work`` beside ``OUT``, so that ``OUT`` appears by one rename, whole or not at all.

The work folder holds resume state: weights that know the forget texts, and numbers; no text. It goes at the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, ConfigError
from blur.core.files import read_json, write_json
from blur.core.locking import exclusive
from blur.core.progress import Progress

_OURS, _WHOLE = "run.json", "whole"


class Workplace:
    """The output folder of a command and the work folder beside it."""

    def __init__(self, out: Path) -> None:
        self.out = Path(os.path.abspath(out))
        self.work = self.out.with_name(f"{self.out.name}.work")

    def look(self) -> None:
        """Refuse, before anything is read, a place where nothing can be written.

        Raises:
            ConfigError: ``OUT`` is a file, or holds something that is no finished result of this command; the work
                folder is not ours; or there is no right to write.
        """
        another = "Name another folder with --out, or remove this one"
        if self.out.exists() and not self.out.is_dir():
            raise ConfigError("it is a file", str(self.out), another)
        if self.out.is_dir() and any(self.out.iterdir()) and not (self.out / manifests.NAME).is_file():
            raise ConfigError("the folder is not empty, and not of this command", str(self.out), another)
        if self.work.exists() and not (self.work / _OURS).is_file() and any(self.work.iterdir()):
            remedy = "The work folder has this name: move what is there, or name another folder with --out"
            raise ConfigError("it is not of this command", str(self.work), remedy)
        above = next(folder for folder in self.out.parents if folder.exists())
        if not os.access(above, os.W_OK | os.X_OK):
            raise ConfigError("no right to write here", str(above), "Name another folder with --out")

    def finished(self, identity: Callable[[int], str]) -> dict[str, Any] | None:
        """Return the manifest of ``OUT`` where it is whole, and of the very same run; None where there is nothing yet.

        Args:
            identity: of the run, if it has the number of updates that ``OUT`` was made with.

        Raises:
            ConfigError: it is of another run.
        """
        if not (self.out / manifests.NAME).is_file():
            return None
        told = manifests.read(self.out)
        if told.get("run") != identity(told.get("budget", 0)):
            remedy = "Name another folder with --out, or remove this one"
            raise ConfigError("the folder holds another model, or one made otherwise", str(self.out), remedy)
        manifests.check_files(self.out, told)
        return told

    def require_room(self, needed: int) -> None:
        """Refuse a disk that is too small.

        Raises:
            ConfigError: names what is needed and what is free, in GiB.
        """
        above = next(folder for folder in self.out.parents if folder.exists())
        if (free := shutil.disk_usage(above).free) < needed:
            what = f"{needed / 2**30:.2f} GiB are needed, and {free / 2**30:.2f} are free"
            raise ConfigError(what, str(above), "Free some space, or name a folder on another disk with --out")

    @contextmanager
    def claimed(self, identity: str, progress: Progress) -> Iterator[Path]:
        """Yield the work folder, with the state of this run or of none; wait for another process that is in it.

        State of another run is removed, and that is said. What is there stays if the block fails.
        """
        with exclusive(self.work, lambda holder: progress.note(f"waiting for {holder}, which works here")):
            mark = self.work / _OURS
            if mark.is_file() and _identity(mark) != identity:
                progress.note("what was begun here was another run, and is begun anew")
                self._clear()
            write_json(mark, {"run": identity})
            yield self.work
        if self.out.exists():
            shutil.rmtree(self.work)

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """Yield an empty folder; it becomes ``OUT`` if the block succeeds."""
        folder = self.work / _WHOLE
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        for path in (*folder.rglob("*"), folder):
            _flush(path)
        os.replace(folder, self.out)  # an empty folder gives way
        _flush(self.out.parent)

    def drop(self) -> None:
        """Remove the work folder: there is nothing to go on with."""
        shutil.rmtree(self.work, ignore_errors=True)

    def _clear(self) -> None:
        for path in self.work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()


def _identity(mark: Path) -> str | None:
    try:
        return str(read_json(mark)["run"])
    except (ValueError, LookupError, TypeError) as error:
        raise ArtifactError(f"no mark of a run ({type(error).__name__})", str(mark), "Remove its folder") from error


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
