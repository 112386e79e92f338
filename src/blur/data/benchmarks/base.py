"""What a benchmark's data are: where they come from, and a way to build their sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from blur.core.choice import Choice

PACKAGE = "blur.data.benchmarks"


class DataBase(Choice):
    """The ``data`` key of a benchmark's tasks.

    Attributes:
        set_names: all sets, so that a misspelt one is refused before any job.
        texts_in: how many texts a field of a record holds, where it is not one.
    """

    set_names: ClassVar[tuple[str, ...]]
    texts_in: ClassVar[Mapping[str, int]] = {}
    source: Any = Field(description="where the data come from; its `kind` is world, local or hub")

    @property
    def edition(self) -> str:
        """Which of several published corpora is meant; nothing where there is one."""
        return ""

    def build(self) -> dict[str, list[Any]]:
        """Build and check all sets, records by name.

        Errors:
            DataError: a file, record or overlap is at fault, or data cannot be had; names the place and the remedy.
        """
        raise NotImplementedError

    def told(self) -> list[str]:
        """Return what was understood of a person's own files, a line each, and none of their texts."""
        return []

    def describe(self) -> dict[str, float]:
        """Return the known chance levels of the built sets."""
        return {}

    def published(self, records: Mapping[str, int]) -> dict[str, int]:
        """Return how many records these settings make of the published sets, from how many these have, both by set."""
        return dict(records)
