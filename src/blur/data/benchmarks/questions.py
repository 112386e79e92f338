"""A person's own questions and answers."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from blur.data.benchmarks.base import DataBase
from blur.data.own import FILES, OwnSource, own_sets, read_own


class Data(DataBase):
    """Questions with answers to forget, and others to keep."""

    name: Literal["questions"] = "questions"
    set_names: ClassVar = tuple(FILES)
    source: OwnSource

    def build(self) -> dict[str, list[Any]]:
        """Read the files and check them against each other."""
        return {**own_sets(read_own(self.source, "questions"))}

    def told(self) -> list[str]:
        """Return what was understood of each file."""
        return [line for texts in read_own(self.source, "questions").values() for line in texts.told]
