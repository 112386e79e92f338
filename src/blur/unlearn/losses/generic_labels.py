"""Who's Harry Potter, distilled: fine-tuning on generic labels (Eldan and Russinovich, arXiv 2310.02238)."""

from __future__ import annotations

from typing import ClassVar, Literal

from blur.unlearn.losses.base import Labels, Need, RelabelledLoss


class Loss(RelabelledLoss):
    """NLL of what a model says that never read the text (``blur.derived.generic_labels``), mean over scored tokens."""

    name: Literal["generic_labels"] = "generic_labels"
    kind: ClassVar[Labels] = "generic_labels"
    needs: ClassVar[frozenset[Need]] = frozenset({"generic_labels"})
