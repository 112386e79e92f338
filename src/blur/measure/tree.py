"""Texts after one prompt as a tree of tokens: what they have in common goes through the model once.

A node is a token after all tokens above it. The nodes of a tree are one sequence of the model: each attends to itself
and to the nodes above it, and its position is its depth, so that it is computed as in any text that it belongs to.
(Speculative decoding verifies many continuations in this way: SpecInfer, Miao et al. 2024, arXiv 2305.09781.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blur.measure.cache import reach
from blur.models.encode import Example
from blur.models.forward import takes_positions

LARGEST = 256  # nodes of a tree of several texts; attention between its branches, all masked, grows with the square


@dataclass
class Tree:
    """Texts by number, and their tokens; a node is named by its place in ``tokens``.

    Attributes:
        paths: nodes of each text, in the text's order.
    """

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    paths: dict[int, list[int]] = field(default_factory=dict)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, text: int, example: Example) -> Tree:
        """Return the tree of one text, without its last token, which is only predicted."""
        tree = cls()
        tree.add(text, example.input_ids[:-1] or example.input_ids)
        return tree

    def add(self, text: int, tokens: Sequence[int]) -> None:
        """Add a text; its beginning may be there."""
        node, path = -1, list[int]()
        for token in tokens:
            node = self._children.setdefault((node, token), len(self.tokens))
            if node == len(self.tokens):
                self.tokens.append(token)
                self.depths.append(len(path))
            path.append(node)
        self.paths[text] = path

    @property
    def branches(self) -> bool:
        """Whether it is more than one text's line of tokens."""
        return bool(self.depths) and self.depths[-1] + 1 < len(self.depths)


def trees_of(examples: Sequence[Example], shared: bool) -> list[Tree]:
    """Return all texts without their last tokens, which are only predicted; those after the same prompt in one tree.

    Args:
        shared: off: each text is a tree of its own.
    """
    groups: dict[Any, list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        prompt = tuple(example.input_ids[: example.num_prompt])
        alike = prompt if len(prompt) > 1 else tuple(example.input_ids)  # a BOS alone is no beginning worth sharing
        groups[alike if shared else number].append(number)
    trees = []
    for numbers in groups.values():
        tree = Tree()
        for number in numbers:
            tokens = examples[number].input_ids[:-1] or examples[number].input_ids
            if tree.tokens and len(tree.tokens) + len(tokens) - examples[number].num_prompt > LARGEST:
                trees.append(tree)
                tree = Tree()
            tree.add(number, tokens)
        trees.append(tree)
    return trees


def can_branch(model: Any, longest: int) -> bool:
    """Whether a model takes texts of up to ``longest`` tokens as trees.

    It has to attend to all of a text, follow any mask between tokens, and be told positions. ALiBi and GPT-Neo's window
    reckon by places in the sequence; state space models and attention kernels without masks know no branches.
    """
    config = model.config.get_text_config()
    by_place = getattr(config, "alibi", False) or getattr(config, "window_size", None)
    masked = config._attn_implementation in ("sdpa", "eager")
    return masked and not by_place and takes_positions(model) and longest <= reach(model)


def inputs_of(trees: Sequence[Tree], model: Any) -> Mapping[str, Tensor]:
    """Return trees as inputs of ``model``, padded on the right to T, the largest: ids [B, T] and a mask.

    Without branches the mask is [B, T] as for any batch of texts; else it is what is added to attention scores
    [B, 1, T, T], and there are positions [B, T].
    """
    device, dtype = (getattr(next(model.parameters()), name) for name in ("device", "dtype"))
    size = max(len(tree.tokens) for tree in trees)
    ids, depths, real = (np.zeros((len(trees), size), dtype=np.int64) for _ in range(3))
    for row, tree in enumerate(trees):
        place = slice(0, len(tree.tokens))
        ids[row, place], depths[row, place], real[row, place] = tree.tokens, tree.depths, 1
    if not any(tree.branches for tree in trees):
        return {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(real).to(device)}
    hidden = torch.from_numpy(~_ancestry(trees, size))[:, None].to(device)
    mask = torch.zeros(hidden.shape, dtype=dtype, device=device).masked_fill_(hidden, torch.finfo(dtype).min)
    given = {"input_ids": ids, "position_ids": depths}
    return {"attention_mask": mask, **{name: torch.from_numpy(value).to(device) for name, value in given.items()}}


def _ancestry(trees: Sequence[Tree], size: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return, for each tree, which node [B, T] lies on the way to which [T]; padding attends to the first node."""
    seen = np.zeros((len(trees), size, size), dtype=np.bool_)
    seen[:, :, 0] = True
    for row, tree in enumerate(trees):
        for path in tree.paths.values():
            way = np.array(path)
            seen[row, way[:, None], way] |= np.tri(len(way), dtype=np.bool_)
    return seen
