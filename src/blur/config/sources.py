"""What a task reads from outside: local files and folders of models. Nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from blur.config.plan import Plan
from blur.config.task import Task
from blur.core.errors import ConfigError, DataError
from blur.core.hashing import sha256_file


def local_files(task: Task) -> dict[str, str]:
    """Return the hashes of the files of a ``local`` source, and of its subfolders, by path; empty for other sources.

    Raises:
        DataError: the folder is missing, or one of its files cannot be read.
    """
    source = task.data.source
    if source.kind != "local":
        return {}
    folder = Path(source.path)
    if not folder.is_dir():
        where = task.place("data", "source", "path")
        raise DataError(f"no folder {source.path!r}", where, "Put the files there, or name another folder")
    found = [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.suffix in source.endings]
    return {path.relative_to(folder).as_posix(): _hash(path) for path in sorted(found) if not path.is_dir()}


def _hash(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        reason = "a link that leads nowhere" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise DataError(reason, str(path), "Mend it or remove it") from None


def require_folders(plan: Plan, task: str) -> None:
    """Refuse a task whose data or models are in a folder that is not there; a hub's names are left to the hub.

    Raises:
        DataError: the folder of a ``local`` source is missing.
        ConfigError: the folder of a model is missing.
    """
    resolved = plan.task(task)
    local_files(resolved)
    config = resolved.config
    named = {
        f"{resolved.model_file[0]}: model.name_or_path": resolved.model.name_or_path,
        resolved.place("target", "name"): config.target.name,
        resolved.place("retrained", "name"): config.retrained.name,
    }
    for where, name in named.items():
        if name and name.startswith(("/", ".", "~")) and not Path(name).is_dir():
            raise ConfigError(f"no folder {name!r}", where, "Put the model there, or name another folder or a hub name")
