"""What a loss is: a name, hyper-parameters, what it needs, and a numerator per sequence. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from blur.models.encode import Unit
from blur.unlearn.axis import Choice

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs
    from blur.unlearn.references import Reference

Need = Literal["reference_sums", "reference_logits"]


class LossBase(Choice):
    """A loss over a batch, as one numerator and one denominator per sequence.

    The loss of a global batch is ``sum(numerator) / sum(denominator)``. The denominator of a sequence is its count of
    ``unit``, which depends on labels only, so the loop knows the sum before any backward pass, and the result does not
    depend on how the batch was split.

    Attributes:
        unit: what the denominator counts: scored tokens, sequences, or all positions that are not padding.
        needs: references of the original model that the loss reads.
    """

    unit: ClassVar[Unit]
    needs: ClassVar[frozenset[Need]] = frozenset()

    @property
    def positions(self) -> Literal["scored", "attended"]:
        """Positions whose logits the loss reads."""
        return "attended" if self.unit == "position" else "scored"

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the numerator of each sequence, float64[B].

        Args:
            outputs: logits at ``self.positions`` of the batch.
            reference: what ``self.needs`` names.
        """
        raise NotImplementedError
