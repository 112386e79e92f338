"""What is said of a text by a model that never read it (Eldan and Russinovich, arXiv 2310.02238), guessed from two.

    z_generic = z - alpha relu(z_tuned - z)

with z the model's logits and z_tuned those of the model tuned on the texts that are to be forgotten: what tuning makes
likelier is what is known of them. The label is the token with the largest z_generic.

Our reading: the authors also replace names of the texts by generic ones before the two models read them, by a list that
a language model wrote for one series of books; here the texts stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.files import read_json, write_json
from blur.core.settings import NonNegative
from blur.derived.base import DerivedBase, Source

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.encode import Example

FILE = "labels.json"


class Derived(DerivedBase):
    """``{id: label of each scored token}``."""

    streams: ClassVar = ("forget",)
    asks: ClassVar = ("forget_tuned",)
    passes: ClassVar = 2
    name: Literal["generic_labels"] = "generic_labels"
    alpha: NonNegative = Field(5.0, description="5 in the authors' published settings, second-hand")

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the labels."""
        from blur.models.io import load

        loaded = source.load()
        tuned: Module = load(source.derived("forget_tuned")).model
        tuned.to(loaded.model.device)
        write_json(folder / FILE, labels(loaded.model, tuned, source.examples(loaded, "forget"), self.alpha))
        return [FILE]

    def read(self, folder: Path) -> dict[str, list[int]]:
        """Return the labels by id."""
        found: dict[str, list[int]] = read_json(folder / FILE)
        return found


def labels(model: Module, tuned: Module, examples: Sequence[Example], alpha: float) -> dict[str, list[int]]:
    """Return, by id, argmax of z - alpha relu(z_tuned - z) for each scored token; both evaluate, on one device."""
    import torch

    from blur.models.batch import collate
    from blur.models.forward import forward

    found, device = {}, next(model.parameters()).device
    with torch.no_grad():
        for example in examples:
            batch = collate([example], device)
            own, more = (forward(one, batch, "scored").precise_logits for one in (model, tuned))
            found[example.id] = (own - alpha * (more - own).relu()).argmax(-1).tolist()
    return found
