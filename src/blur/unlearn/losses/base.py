"""What a loss is: a name, hyper-parameters, what it needs, and a numerator per sequence. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pydantic import model_validator

from blur.core.choice import Choice
from blur.core.errors import BlurError
from blur.core.settings import AlternatesName, Count, Whole
from blur.models.encode import Unit
from blur.unlearn.depth import missing

if TYPE_CHECKING:
    from torch import Tensor

    from blur.models.forward import Outputs

Labels = Literal["random_labels", "adversarial_labels", "generic_labels"]
Need = Literal["reference_sums", "reference_logits", "reference_hidden", Labels]
Texts = Literal["answers", "alternates", "pairs"]  # of a stream: its texts, what is said in their place, or both
LIVE: frozenset[Need] = frozenset({"reference_logits", "reference_hidden"})  # the original model has to be in memory
LABELS: frozenset[Need] = frozenset(get_args(Labels))  # other labels for a text, made beforehand


@dataclass(frozen=True)
class Reference:
    """What a loss may read of the original model, or made by it; to draw from, the run's seed and the texts' ids."""

    known_sums: Tensor | None = None
    known_logits: Tensor | None = None
    known_hidden: Tensor | None = None
    known_labels: Mapping[Need, Tensor] = field(default_factory=dict)
    seed: int = 0
    ids: tuple[str, ...] = ()

    @property
    def sums(self) -> Tensor:
        """Summed NLL of each sequence in nats, float64[B]."""
        return _declared(self.known_sums, "reference_sums")

    @property
    def logits(self) -> Tensor:
        """Logits at the same positions as the outputs, [N, V], float32 at least."""
        return _declared(self.known_logits, "reference_logits")

    @property
    def hidden(self) -> Tensor:
        """Hidden states at the same layer and positions as the outputs, [N, d], float32 at least."""
        return _declared(self.known_hidden, "reference_hidden")

    def labels(self, kind: Need) -> Tensor:
        """Other labels at the same positions as the outputs, int64[N]."""
        return _declared(self.known_labels.get(kind), kind)


def _declared(value: Tensor | None, need: str) -> Tensor:
    if value is None:
        raise BlurError(f"the loss reads {need} without naming it in `needs`, or it was not given")
    return value


class LossBase(Choice):
    """A loss over a batch, as one numerator and one denominator per sequence.

    The loss of a global batch is ``sum(numerator) / sum(denominator)``. The denominator of a sequence is its count of
    ``unit``, which depends on labels only, so the loop knows the sum before any backward pass, and the result does not
    depend on how the batch was split.

    Attributes:
        unit: what the denominator counts: scored tokens, sequences, or all positions that are not padding.
        needs: references of the original model that the loss reads.
        texts: what of a stream the loss is over; for other than answers see ``AlternatesLoss``.
        peak: bytes alive at once at the loss's peak, for each logit (hidden unit) of float32 outputs of the model, and
            of bfloat16 or float16 ones: the outputs and the reference's included, over one forward and backward pass.
            Counted where a loss does not say (``blur.planner.losses``, which a test compares).
    """

    unit: ClassVar[Unit]
    needs: ClassVar[frozenset[Need]] = frozenset()
    texts: ClassVar[Texts] = "answers"
    peak: ClassVar[tuple[float, float] | None] = None

    @property
    def rows(self) -> int:
        """Rows of a batch for each example, at one alternate each."""
        return 2 if self.texts == "pairs" else 1

    @property
    def positions(self) -> Literal["scored", "attended"]:
        """Positions whose logits, or hidden states, the loss reads."""
        return "attended" if self.unit == "position" else "scored"

    def numerator(self, outputs: Any, reference: Reference) -> Tensor:
        """Return the numerator of each sequence, float64[B].

        Args:
            outputs: at ``self.positions`` of the batch, logits (``Outputs``), or hidden states of a layer
                (``HiddenStates``) for an ``ActivationLoss``.
            reference: what ``self.needs`` names.
        """
        raise NotImplementedError


class AlternatesLoss(LossBase):
    """A loss over the alternates of a stream, other answers to its questions; over ``pairs`` by default.

    In ``pairs``, the outputs have a row for each answer, then one for each alternate (``Outputs.pairs``), the numerator
    one entry for each answer. ``alternates`` alone are texts like any others.

    Attributes:
        alternates: where they come from: one of the benchmark's ``training.alternates``.
    """

    alternates: AlternatesName
    texts: ClassVar[Texts] = "pairs"


class RelabelledLoss(LossBase):
    """Next-token NLL under other labels than a text's own, mean over scored tokens; what is read stays the text.

    The labels are made once, before training, of the model that the run starts from: a kind of ``blur.derived``.
    """

    kind: ClassVar[Labels]
    unit: ClassVar[Unit] = "token"
    peak: ClassVar[tuple[float, float] | None] = (16, 14)

    def numerator(self, outputs: Outputs, reference: Reference) -> Tensor:
        """Return the summed negative log-likelihood of each sequence's labels in nats, float64[B]."""
        return replace(outputs, targets=reference.labels(self.kind)).nll_sums


class ActivationLoss(LossBase):
    """A loss on the output of one decoder layer, over all tokens; its forward pass goes no further than that layer.

    Attributes:
        layer: 0-based number of the decoder layer.
        of: depth of the model that the number was chosen for, where it is to be scaled to this model's depth by the
            rule of ``blur.unlearn.depth.scaled_layer``.
    """

    layer: Whole
    of: Count | None = None
    unit: ClassVar[Unit] = "position"

    @model_validator(mode="after")
    def _layer_exists(self) -> ActivationLoss:
        if self.of is not None and self.layer >= self.of:
            raise ValueError(f"layer: {missing(self.layer, self.of)}")
        return self
