"""Sums of small numbers: some of them are to be forgotten."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from blur.core.settings import Count, Strict
from blur.data.benchmarks.base import DataBase


class Source(Strict):
    """Sums that are generated."""

    kind: str = "world"
    size: Count = 6


class Data(DataBase):
    """Sums of a number with itself, to forget, and with the next one, to keep."""

    name: Literal["counting"] = "counting"
    set_names: ClassVar = ("forget", "retain")
    source: Source = Source()

    def build(self) -> dict[str, list[Any]]:
        """Return the sums."""
        return {
            name: [
                {"id": f"{name}{n}", "question": f"How much is {n} and {n + more}?", "answer": f"It is {2 * n + more}."}
                for n in range(self.source.size)
            ]
            for name, more in (("forget", 0), ("retain", 1))
        }
