"""Log-likelihoods under the model before unlearning, so that it need not live in memory (NPO, DPO)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from blur.core.files import read_json, write_json
from blur.derived.base import DerivedBase, Source

FILE = "reference_sums.json"


class Derived(DerivedBase):
    """``{id: sum over tokens of -log p}`` in nats, of each text that is to be forgotten and of each alternate."""

    name: Literal["reference_sums"] = "reference_sums"
    streams: ClassVar = ("forget",)
    of_alternates: ClassVar = True
    passes: ClassVar = 1

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the sums, by the code that the losses use."""
        from blur.unlearn.references import reference_sums

        loaded = source.load()
        write_json(folder / FILE, reference_sums(loaded.model, source.examples(loaded, "forget")))
        return [FILE]

    def read(self, folder: Path) -> dict[str, float]:
        """Return the sums by id."""
        sums: dict[str, float] = read_json(folder / FILE)
        return sums
