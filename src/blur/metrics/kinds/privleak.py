"""PrivLeak: ``100 (AUC - AUC_retrained) / AUC_retrained``, how far membership shows beyond the retrained model.

Source: MUSE (arXiv 2407.06460), section 3, equation for PrivLeak, with Min-40%. The best value is 0. In MUSE's
orientation, kept here, AUC = P(a forget text looks *less* known than a holdout text), ties half, that is one minus
the AUC of
``mia``: a model that still remembers has AUC near 0 and PrivLeak near -100 (under-unlearning; MUSE's targets have
-99.8 and -57), and one that pushed the forget set below unseen text has a positive PrivLeak (over-unlearning; at most
``100 (1/AUC_retrained - 1)``, about 110 for MUSE-News). The end-of-sequence token does not count; ``eos: true``
counts it.

Reference code: MUSE hard-codes AUC_retrained of its own models, which belongs to no other retrained model;
open-unlearning falls back to 0.5 with a warning where the logs are missing (anchors.md 1.6 #10). Here the retrained
model's measurements are an input, and missing ones an error. ``published`` takes MUSE's number by name, for its
published models only (0.4772 for News, 0.5393 for Books; muse_bench, ``constants.py``), and needs no retrained model.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from blur.core.settings import Flag, Share
from blur.metrics.kinds import mia
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, Reference, likelihoods

PUBLISHED = {"muse_news": 0.4772, "muse_books": 0.5393}


class Metric(MetricBase):
    """PrivLeak of a forget set and a holdout, against the retrained model or a published AUC."""

    direction: ClassVar[Direction] = "zero"
    members: str
    nonmembers: str
    field: str = "answer"
    k: Share = 0.4
    reference: Reference = "retrained"
    eos: Flag = False
    published: Literal["muse_news", "muse_books"] | None = None

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods([self.members, self.nonmembers], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return PrivLeak with Min-K; see the module."""
        own = self._attack(context)
        expected, reason = PUBLISHED.get(self.published or ""), None
        if expected is None:
            its = self._attack(replace(context, measured=context.reference(self.reference)))
            expected, reason = None if its.value is None else 1.0 - its.value, its.reason
        if own.value is None or expected is None:
            return Outcome(None, self.direction, own.n, reason=own.reason or reason)
        area = 1.0 - own.value
        details = {"auc": area, "auc_retrained": expected, **own.details}
        if expected == 0.0:
            nothing = f"the {self.reference} model's AUC is 0: nothing to divide by"
            return Outcome(None, self.direction, own.n, {}, details, nothing)
        return Outcome(privleak(area, expected), self.direction, own.n, {}, details)

    def _attack(self, context: MetricContext) -> Outcome:
        return mia.Metric(
            name="mia",
            attack="min_k",
            members=self.members,
            nonmembers=self.nonmembers,
            field=self.field,
            k=self.k,
            eos=self.eos,
        ).compute(context)


def privleak(area: float, expected: float) -> float:
    """Return ``100 (area - expected) / expected`` of two AUCs in MUSE's orientation, ``expected`` above 0."""
    return 100.0 * (area - expected) / expected
