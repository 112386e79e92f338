"""Where configuration and workflow are found: in the working directory, and else the copy that comes with the package.

``shipped`` holds links to a checkout's folders, of which a wheel has the content. What a working directory has comes
first, file by file: a checkout reads its own, and a folder of three files has the rest from the package.
"""

from __future__ import annotations

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "shipped"
CONFIG = "config"


def find(path: Path | str) -> Path:
    """Return a path of the working directory; where nothing is there, that of the packaged copy if it has it."""
    path = Path(path)
    return next((place for place in _places(path) if place.exists()), path)


def stems(folder: Path | str) -> tuple[str, ...]:
    """Return the names of a folder's YAML files, sorted: those here, and those that the packaged copy adds."""
    return tuple(sorted({path.stem for place in _places(Path(folder)) for path in place.glob("*.yaml")}))


def _places(path: Path) -> list[Path]:
    return [path] if path.is_absolute() else [path, SHIPPED / path]
