"""How many texts there are to forget."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from blur.core.files import read_json, write_json
from blur.derived.base import DerivedBase, Source


class Derived(DerivedBase):
    """Their number."""

    streams: ClassVar = ("forget",)
    name: Literal["num_texts"] = "num_texts"

    def make(self, source: Source, folder: Path) -> list[str]:
        """Count."""
        write_json(folder / "num_texts.json", len(source.examples(source.load(), "forget")))
        return ["num_texts.json"]

    def read(self, folder: Path) -> int:
        """Return the number."""
        return int(read_json(folder / "num_texts.json"))
