"""Fine-tuning on adversarial samples (Yao et al., arXiv 2402.15159, method 3)."""

from __future__ import annotations

from typing import ClassVar, Literal

from blur.unlearn.losses.base import Labels, Need, RelabelledLoss


class Loss(RelabelledLoss):
    """NLL of the likeliest wrong tokens (``blur.derived.adversarial_labels``), mean over scored tokens."""

    name: Literal["adversarial_labels"] = "adversarial_labels"
    kind: ClassVar[Labels] = "adversarial_labels"
    needs: ClassVar[frozenset[Need]] = frozenset({"adversarial_labels"})
