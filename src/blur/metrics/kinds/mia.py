"""Membership inference: AUC of an attack that tells members (the forget set) from non-members (the holdout).

AUC = P(score of a member > score of a non-member), ties counting half, by ranks in float64. Every score is signed so
that high means memorised; AUC 1: memorised, 0.5: chance, below 0.5: the forget set looks *less* known than unseen
text, a trace of unlearning just as telling. The aim is the retrained model's AUC (direction ``match``), not 0.

Attacks, with ``l_t`` the token log-probabilities and ``T`` their number:
``loss``: ``mean l_t`` (Yeom et al., arXiv 1709.01604);
``zlib``: ``mean l_t`` / compressed bytes of the text (Carlini et al., arXiv 2012.07805);
``min_k``: mean of the ``max(1, floor(k T))`` lowest ``l_t`` (Shi et al., arXiv 2310.16789);
``min_k_plus_plus``: the same of ``(l_t - mean_v) / sqrt(var_v)``, mean and variance of log p under the model's own
distribution over the vocabulary (Zhang et al., arXiv 2404.02936), variance at least 1e-6 as in open-unlearning;
``gradnorm``: minus the L2 norm of the gradient of the mean token loss, over all parameters;
``reference``: ``mean l_t`` minus that of a reference model (Carlini et al.); 0.5 for that model itself.

The end-of-sequence token does not count, in any attack; ``eos: true`` counts it, except in ``gradnorm``: gradients are
measured without it, and ``eos`` is refused there. (open-unlearning leaves it out of Min-K and Min-K++ since PR #101 and
keeps it in loss and zlib.) A text without tokens is left out; open-unlearning scores it 0, the best score there is.
Items hold the scores of both sets.
Minus infinity is the lowest rank; a NaN score makes the AUC undefined.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import model_validator

from blur.core.errors import DataError
from blur.core.settings import Flag, Share
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, Reference, likelihoods
from blur.metrics.scores import by_id, known, mean_logprob

if TYPE_CHECKING:
    from blur.measurements import Floats, Measurements, TextScore

MIN_VARIANCE = 1e-6
Attack = Literal["loss", "zlib", "min_k", "min_k_plus_plus", "gradnorm", "reference"]


class Metric(MetricBase):
    """AUC of an attack between two sets."""

    direction: ClassVar[Direction] = "match"
    attack: Attack
    members: str
    nonmembers: str
    field: str = "answer"
    k: Share = 0.4
    reference: Reference = "retrained"
    eos: Flag = False

    @model_validator(mode="after")
    def _gradients_have_no_eos(self) -> Self:
        if self.attack == "gradnorm" and "eos" in self.model_fields_set:
            raise ValueError("gradnorm takes no `eos`: gradients are measured without that token. Remove `eos`")
        return self

    def reads(self) -> Reads:
        """Return what it looks up."""
        if self.attack == "gradnorm":
            return Reads(gradnorm=frozenset([self.members, self.nonmembers]))
        return likelihoods([self.members, self.nonmembers], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return the attack's AUC between members and non-members; see the module."""
        other = context.reference(self.reference) if self.attack == "reference" else None
        scores = {
            name: known(attack_scores(context.measured, other, self.attack, name, self.field, self.k, self.eos))
            for name in (self.members, self.nonmembers)
        }
        arrays = [np.array(list(values.values()), dtype=np.float64) for values in scores.values()]
        counts = {"n_members": float(arrays[0].size), "n_nonmembers": float(arrays[-1].size)}
        n = sum(values.size for values in arrays)
        undefined = sum(int(np.isnan(values).sum()) for values in arrays)
        items = {
            name: {item: value for item, value in values.items() if not np.isnan(value)}
            for name, values in scores.items()
        }
        if undefined:
            reason = f"{undefined} of {n} scores are NaN (a model has collapsed)"
            return Outcome(None, self.direction, n, items, counts, reason)
        return Outcome(auc(arrays[0], arrays[-1]), self.direction, n, items, counts)


def attack_scores(
    measured: Measurements,
    reference: Measurements | None,
    attack: Attack,
    name: str,
    field: str,
    k: float,
    eos: bool,
) -> dict[str, float | None]:
    """Return the attack's score by id over set ``name``, high meaning memorised; None for texts without tokens."""
    if attack == "gradnorm":
        return {item: -value for item, value in measured.gradnorm(name).items()}
    scores = by_id(measured.likelihood(name, field), eos)
    if reference is None:
        return {item: text_score(score, attack, k) for item, score in scores.items()}
    others = by_id(reference.likelihood(name, field), eos)
    if scores.keys() != others.keys():
        odd = next(iter(scores.keys() ^ others.keys()))
        raise DataError(f"set {name}: the reference model was measured on other items (id {odd})", "metric mia")
    return {item: _difference(mean_logprob(score), mean_logprob(others[item])) for item, score in scores.items()}


def _difference(own: float | None, other: float | None) -> float | None:
    if own is None or other is None:
        return None
    with np.errstate(invalid="ignore"):
        return float(np.subtract(own, other))


def text_score(score: TextScore, attack: Attack, k: float) -> float | None:
    """Return one text's score under an attack that needs this model's likelihoods only; None without tokens."""
    if not score.logprob.size:
        return None
    if attack == "min_k":
        return lowest_mean(score.logprob, k)
    if attack == "min_k_plus_plus":
        spread = np.sqrt(np.maximum(score.vocab_var, MIN_VARIANCE))
        with np.errstate(invalid="ignore"):
            return lowest_mean((score.logprob - score.vocab_mean) / spread, k)
    length = len(zlib.compress(score.text.encode("utf-8"))) if attack == "zlib" else 1
    return float(np.mean(score.logprob)) / length


def lowest_mean(values: Floats, k: float) -> float:
    """Return the mean of the ``max(1, floor(k T))`` lowest of ``values``, shape ``[T]``; NaN if one is NaN.

    The small addend keeps k = 0.29 of T = 100 from being 28 by rounding.
    """
    if np.isnan(values).any():
        return float("nan")
    count = max(1, int(k * values.size + 1e-9))
    return float(np.mean(np.sort(values)[:count]))


def auc(members: Floats, nonmembers: Floats) -> float:
    """Return P(member > non-member) + P(equal) / 2 for scores of shapes ``[n]`` and ``[m]``; infinities are ranks.

    Raises:
        DataError: a side is empty, or a score is NaN.
    """
    if not members.size or not nonmembers.size or np.isnan(members).any() or np.isnan(nonmembers).any():
        raise DataError("an AUC needs members and non-members, all with a score that is not NaN")
    ordered = np.sort(nonmembers)
    below = np.searchsorted(ordered, members, side="left").sum()
    not_above = np.searchsorted(ordered, members, side="right").sum()
    return float(below + not_above) / (2 * members.size * nonmembers.size)
