"""A few of the texts that are kept, drawn evenly: what a subset that is chosen with care has to beat."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from blur.data.world.draw import draw, stream
from blur.derived.base import Source, SubsetBase


class Derived(SubsetBase):
    """As many texts as ``coreset`` takes, where both have the same ``share``."""

    name: Literal["random_subset"] = "random_subset"

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the ids of the texts drawn."""
        examples = source.examples(source.load(), self.replaces)
        places = draw(stream(self.seed, "random subset"), range(len(examples)), self.size(len(examples)))
        return self.write(folder, [examples[place].id for place in sorted(places)])
