"""The likeliest wrong token for each one that is to be forgotten (Yao et al., arXiv 2402.15159, method 3), taken once.

The authors' code takes the label of token i from the prediction of token i + 1, with token i left out: for a text that
is known by heart, the true token after it. Here it is taken from the prediction of token i.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from blur.core.files import read_json, write_json
from blur.derived.base import DerivedBase, Source

if TYPE_CHECKING:
    from torch.nn import Module

    from blur.models.encode import Example

FILE = "labels.json"


class Derived(DerivedBase):
    """``{id: label of each scored token}``."""

    streams: ClassVar = ("forget",)
    passes: ClassVar = 1
    name: Literal["adversarial_labels"] = "adversarial_labels"

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the labels."""
        loaded = source.load()
        write_json(folder / FILE, labels(loaded.model, source.examples(loaded, "forget")))
        return [FILE]

    def read(self, folder: Path) -> dict[str, list[int]]:
        """Return the labels by id."""
        found: dict[str, list[int]] = read_json(folder / FILE)
        return found


def labels(model: Module, examples: Sequence[Example]) -> dict[str, list[int]]:
    """Return, by id, argmax over v != y_t of p(v | y_<t) for each scored token y_t; ``model`` evaluates."""
    import torch

    from blur.models.batch import collate
    from blur.models.forward import forward

    found, device = {}, next(model.parameters()).device
    with torch.no_grad():
        for example in examples:
            outputs = forward(model, collate([example], device), "scored")
            logits = outputs.precise_logits
            logits[outputs.places, outputs.targets] = -torch.inf
            found[example.id] = logits.argmax(-1).tolist()
    return found
