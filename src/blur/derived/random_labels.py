"""A random label for each token that is to be forgotten (Yao et al., arXiv 2402.15159, method 2), drawn once.

Uniform over the vocabulary without special tokens and without the true one; a special token keeps its own label. In the
authors' code a draw may be the truth, or a special token, and one that is the padding's is not trained on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from blur.core.files import read_json, write_json
from blur.core.hashing import derive_seed
from blur.core.settings import Seed
from blur.derived.base import DerivedBase, Source

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from blur.models.encode import Example

FILE = "labels.json"


class Derived(DerivedBase):
    """``{id: label of each scored token}``, a function of seed, id and vocabulary; all runs of a task share them."""

    streams: ClassVar = ("forget",)
    name: Literal["random_labels"] = "random_labels"
    seed: Seed = 0

    def make(self, source: Source, folder: Path) -> list[str]:
        """Write the labels."""
        loaded = source.load()
        words = plain(loaded.tokenizer)
        found = {one.id: labels(one, words, self.seed) for one in source.examples(loaded, "forget")}
        write_json(folder / FILE, found)
        return [FILE]

    def read(self, folder: Path) -> dict[str, list[int]]:
        """Return the labels by id."""
        found: dict[str, list[int]] = read_json(folder / FILE)
        return found


def plain(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the vocabulary without special tokens: neither those with a name (EOS) nor others (a chat's, reserved)."""
    others = {token for token, added in tokenizer.added_tokens_decoder.items() if added.special}
    special = others.union(tokenizer.all_special_ids)
    return [token for token in range(len(tokenizer)) if token not in special]


def labels(example: Example, plain: Sequence[int], seed: int) -> list[int]:
    """Return a label for each scored token of a text.

    Args:
        plain: the tokens that are drawn from; another one in the text stays.
    """
    draw, known = random.Random(derive_seed("random labels", seed, example.id)), set(plain)
    return [_other(token, plain, draw) if token in known else token for token in example.scored]


def _other(token: int, plain: Sequence[int], draw: random.Random) -> int:
    while (drawn := draw.choice(plain)) == token:
        pass
    return drawn
