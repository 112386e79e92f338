"""What the sources of published data share."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from blur.core.settings import Strict


class Revision(Strict):
    """Which state of a dataset of the Hugging Face hub is meant."""

    revision: str = Field(
        default="main", min_length=1, description="branch, tag or commit; a commit makes the run repeatable"
    )


class Repository(Revision):
    """A dataset of the Hugging Face hub."""

    repo: str


class Folder(Strict):
    """The files of a published benchmark in a folder; the docstring of its ``published`` module has their layout.

    Attributes:
        endings: of the files that are read; a change of one of them makes the data anew.
    """

    endings: ClassVar[tuple[str, ...]] = (".json", ".jsonl", ".raw")
    kind: Literal["local"]
    path: str = Field(min_length=1, description="the folder, relative to the checkout's root")
