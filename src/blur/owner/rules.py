"""The rules of the verdicts: every threshold, each with its reason. Frozen before they were tried on unseen seeds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from blur.core.settings import Count, Fraction, Positive, Strict
from blur.owner.estimate import Estimate

Answer = Literal["yes", "partly", "no", "cannot be told"]


class Rules(Strict):
    """Thresholds. Shares are of what the model before knew beyond a model that never saw the texts: 1 is all of it."""

    gone: Fraction = Field(
        0.25, description="a share below it counts as gone: two trainings without the texts differ by as much"
    )
    there: Fraction = Field(0.5, description="a share from here on counts as there: it is most of what was known")
    known: Positive = Field(
        0.1,
        description="nats per token by which the model before must know the texts better than one that never saw them "
        "(a tenth of perplexity): of less, no share can be taken",
    )
    said: Fraction = Field(
        0.1, description="the same for what is said, in ROUGE-L: of less, its words say nothing of the texts"
    )
    taught: Fraction = Field(
        0.5, description="an attack that brings less than this of what was known to the texts it trains on is no attack"
    )
    collapsed: Fraction = Field(
        0.25,
        description="share of the way from the model before to pure chance (all tokens alike) by which the loss on "
        "other text may rise: beyond it, little of the model is left to ask",
    )
    costly: Positive = Field(1.2, description="factor of perplexity on the keep texts above which it counts as a cost")
    told_apart: Fraction = Field(
        0.1, description="distance of an AUC from that of a model that never saw the texts, above which one can tell"
    )
    unsure: Fraction = Field(0.3, description="an interval that reaches this far from it cannot tell")
    least: Count = Field(3, description="texts below which nothing is told: their interval means little")

    def zone(self, share: Estimate | None) -> Answer:
        """Return whether a share is there, gone or between; an interval from one threshold to the other cannot tell."""
        if share is None or share.low is None or share.high is None or share.n < self.least:
            return "cannot be told"
        if share.low < self.gone and share.high > self.there:
            return "cannot be told"
        if share.value < self.gone:
            return "no"
        return "yes" if share.value >= self.there else "partly"
