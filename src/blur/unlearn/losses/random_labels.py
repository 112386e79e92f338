"""Fine-tuning on random labels (Yao et al., arXiv 2402.15159, method 2)."""

from __future__ import annotations

from typing import ClassVar, Literal

from blur.unlearn.losses.base import Labels, Need, RelabelledLoss


class Loss(RelabelledLoss):
    """NLL of labels drawn from the vocabulary (``blur.derived.random_labels``), mean over scored tokens."""

    name: Literal["random_labels"] = "random_labels"
    kind: ClassVar[Labels] = "random_labels"
    needs: ClassVar[frozenset[Need]] = frozenset({"random_labels"})
