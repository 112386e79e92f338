"""A person's own texts in a folder: ``forget``, ``keep`` and, where there are any, ``unseen``, each in any form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from blur.core.errors import DataError
from blur.data.checks import check_sets
from blur.data.columns import Form, Texts, read_texts
from blur.data.records import Record
from blur.data.settings import Folder
from blur.data.tables import ENDINGS

# The sets, and what their files are called.
FILES: Mapping[str, Literal["forget", "keep", "unseen"]] = {"forget": "forget", "retain": "keep", "holdout": "unseen"}


class OwnSource(Folder):
    """A folder with a file or folder called ``forget``, one called ``keep``, and perhaps one called ``unseen``."""

    endings: ClassVar = ENDINGS
    columns: dict[Literal["forget", "keep", "unseen"], dict[str, str]] = Field(
        default_factory=dict, description="by file: its columns by what they mean, where their names do not tell it"
    )


def read_own(source: OwnSource, form: Form) -> dict[str, Texts]:
    """Return what was understood of each file that is there, by set.

    Errors:
        DataError: a file is missing, at fault, or of another form; names it and the remedy.
    """
    folder = Path(source.path)
    found = {name: path for name, stem in FILES.items() if (path := _called(stem, folder))}
    for name in ("forget", "retain"):
        if name not in found:
            what = f"no file called {FILES[name]!r}, as {FILES[name]}.csv"
            raise DataError(what, str(folder), f"Put it there; it ends with {', '.join(ENDINGS)}, or is a folder")
    read = {name: read_texts(path, name, source.columns.get(FILES[name], {})) for name, path in found.items()}
    for name, texts in read.items():
        if texts.form != form:
            remedy = f"Set `benchmark: {texts.form}`, or give all files one form"
            raise DataError(f"{texts.form}, where {form} are read", str(found[name]), remedy)
    return read


def own_sets(read: Mapping[str, Texts]) -> dict[str, list[Record]]:
    """Return the sets, checked against each other; ``holdout`` is empty where there are no unseen texts.

    Errors:
        DataError: a text is to be forgotten and kept, or is no unseen one; names the places and the remedy.
    """
    sets = {name: read[name].records if name in read else [] for name in FILES}
    check_sets(sets, ["forget", "retain"])
    return sets


def _called(stem: str, folder: Path) -> Path | None:
    """Return the one file or folder of that name, with whatever ending.

    Errors:
        DataError: there are two.
    """
    found = sorted(
        path for path in folder.iterdir() if path.stem == stem and (path.is_dir() or path.suffix.lower() in ENDINGS)
    )
    if len(found) > 1:
        raise DataError(f"both {found[0].name} and {found[1].name} are there", str(folder), "Keep one of them")
    return found[0] if found else None
