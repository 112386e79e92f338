"""The losses of the training loop as plain functions: ``blur.losses.npo(logits, labels, reference_sums=...)``.

Each file of ``blur.unlearn.losses`` is one, under its name; ``dir(blur.losses)`` lists them, and the ``__doc__`` of
each tells what it is. It is the loop's own code: means over the scored tokens or the sequences of the whole batch, with
sums in float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from blur.core.choice import available, build, find
from blur.core.words import described
from blur.unlearn.losses.base import ActivationLoss, LossBase, Need, Reference

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "blur.unlearn.losses"
# Settings that tell the loop where to find what a caller hands over.
_HANDED: Mapping[str, Any] = {"layer": 0, "alternates": "records"}


@dataclass(frozen=True)
class LossFunction:
    """A loss of a batch of B sequences of T tokens."""

    kind: type[LossBase]

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        """What the loss is, and its settings."""
        return described(self.kind, but=("name", *_HANDED))

    def __call__(
        self,
        outputs: Tensor,
        labels: Tensor,
        *,
        attention_mask: Tensor | None = None,
        reference_sums: Tensor | None = None,
        reference_outputs: Tensor | None = None,
        other_labels: Tensor | None = None,
        answers: Sequence[int] = (),
        topics: Sequence[str] | None = None,
        seed: int = 0,
        total: float | None = None,
        **settings: Any,
    ) -> Tensor:
        """Return the loss, a float64 number to call ``backward`` on.

        Args:
            outputs: logits [B, T, V] of the model; for a loss on activations (``rmu``), the hidden states [B, T, d] of
                a layer.
            labels: int64[B, T], the token ids, -100 on prompt and padding, not shifted: those of Hugging Face's models.
            attention_mask: int64[B, T], 0 on padding; for losses over all positions. By default nothing is padding.
            reference_sums: float64[B], ``sequence_nll`` of the original model, for ``npo`` and ``dpo``.
            reference_outputs: the original model's ``outputs``, for ``kl``, ``undial`` and the like.
            other_labels: int64[B, T], other token ids at the labels' places, for ``random_labels`` and the like.
            answers: for ``dpo``, whose last rows are alternates: of each of them, the row of its answer.
            topics: of the sequences, for ``rmu``, which has a direction for each; one topic by default.
            seed: what such directions are drawn from.
            total: what the loss is a mean over, tokens or sequences, where this is a part of a batch: those of all of
                it. The losses of the parts then add up to the loss of the batch.
            settings: of the loss, as in a method's YAML, such as ``beta``.

        Raises:
            ValueError: no such setting.
            BlurError: the loss reads a reference that is not given.
        """
        loss = self._loss(settings)
        found = _read(loss, outputs, labels, attention_mask, tuple(answers), topics)
        known: dict[Need, Tensor] = {}
        if other_labels is not None:
            known = {need: _read(loss, outputs, other_labels, attention_mask).targets for need in loss.needs}
        original = None if reference_outputs is None else _read(loss, reference_outputs, labels, attention_mask)
        reference = Reference(
            reference_sums,
            None if isinstance(loss, ActivationLoss) else getattr(original, "precise_logits", None),
            getattr(original, "precise_states", None),
            known,
            seed,
            tuple(map(str, range(len(labels)))),
        )
        numerator = loss.numerator(found, reference)
        number = total or (len(numerator) if loss.unit == "sequence" else len(found.rows))
        return numerator.sum() * (1.0 / number)

    def _loss(self, settings: Mapping[str, Any]) -> LossBase:
        fields = self.kind.model_fields
        handed = {name: value for name, value in _HANDED.items() if name in fields and fields[name].is_required()}
        made: Any = build(PACKAGE, "Loss", {"name": self.kind.__module__.rpartition(".")[2], **handed, **settings})
        return made


def _read(
    loss: LossBase,
    outputs: Tensor,
    labels: Tensor,
    attention_mask: Tensor | None,
    answers: tuple[int, ...] = (),
    topics: Sequence[str] | None = None,
) -> Any:
    """Return what the loss reads of a model's outputs, at the positions that it reads."""
    import torch

    from blur.models.batch import Batch
    from blur.models.forward import Outputs
    from blur.models.hidden import HiddenStates

    mask = torch.ones_like(labels) if attention_mask is None else attention_mask
    keep = Batch((), labels, mask, labels).positions(loss.positions)
    chosen = keep.flatten().nonzero().squeeze(1)
    rows, read = chosen // keep.shape[1], outputs.flatten(0, 1).index_select(0, chosen)
    if isinstance(loss, ActivationLoss):
        return HiddenStates(read, rows, tuple(topics or [""] * len(labels)), len(labels))
    return Outputs(read, rows, labels.roll(-1, 1).flatten()[chosen], len(labels), answers)


def sequence_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the summed negative log-likelihood of each sequence in nats, float64[B]: what ``reference_sums`` are.

    Args:
        logits: [B, T, V] of the original model, under ``torch.no_grad()``.
        labels: int64[B, T], as for the losses.
    """
    sums: Tensor = _read(_nll(), logits, labels, None).nll_sums
    return sums


@cache
def _nll() -> LossBase:
    kind: type[LossBase] = find(PACKAGE, "Loss", "nll")
    return kind(name="nll")


def __getattr__(name: str) -> LossFunction:
    if name.startswith("_") or name not in available(PACKAGE):
        raise AttributeError(f"module {__name__!r} has no loss {name!r}; there are {', '.join(available(PACKAGE))}")
    return LossFunction(find(PACKAGE, "Loss", name))


def __dir__() -> list[str]:
    return sorted([*available(PACKAGE), "sequence_nll"])
