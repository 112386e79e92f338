"""What the settings of every benchmark's data share: the strict base, and the pieces of published sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

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
    """The files of a published benchmark in a folder; the docstring of its ``published`` module has their layout."""

    kind: Literal["local"]
    path: str = Field(min_length=1, description="the folder, relative to the checkout's root")


class DataSettings(Strict):
    """The ``data`` key of a task; each benchmark's module has its own ``Settings`` of this kind.

    Attributes:
        texts_in: how many texts a field of a record holds, where it is not one.
    """

    texts_in: ClassVar[Mapping[str, int]] = {}
    source: Any = Field(description="where the data come from; its `kind` is world, local or hub")

    @property
    def edition(self) -> str:
        """Which of several published corpora is meant; nothing where there is one."""
        return ""

    def published(self, records: Mapping[str, int]) -> dict[str, int]:
        """Return how many records these settings make of the published sets, from how many these have, both by set."""
        return dict(records)
