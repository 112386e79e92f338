"""How far a model is from approximate retraining on what it was to forget (Yao et al., arXiv 2402.15159).

Retraining a language model is not affordable, so a set of the same kind that no training saw (the approximate set)
stands in for it: what the original model, the target, makes of that set is what a model that never saw the forget set
would make of this one. The number is the distance between the two,

    |log ppl(model, forget) - log ppl(target, approximate)|   (``perplexity``: mean token losses, in nats)
    |accuracy(model, forget) - accuracy(target, approximate)| (``accuracy``: see ``token_accuracy``)

The distance is our reading: the paper sets the values side by side. Lower is better, and either side of the target is
as far. ``details`` has both values. Not defined where one of the two is not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from blur.core.settings import Flag
from blur.metrics.kinds import perplexity, token_accuracy
from blur.metrics.kinds.base import Direction, MetricBase, MetricContext, Outcome, Reads, likelihoods


class Metric(MetricBase):
    """Distance of a set under the model from another set under the target."""

    direction: ClassVar[Direction] = "lower"
    of: Literal["perplexity", "accuracy"]
    set: str
    approximate: str
    field: str = "answer"
    eos: Flag = True
    reference: Literal["target"] = "target"

    def reads(self) -> Reads:
        """Return what it looks up: of the target too, which is measured as all models are."""
        return likelihoods([self.set, self.approximate], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return the distance; see the module."""
        target = replace(context, measured=context.reference(self.reference))
        found = {"value": self._measure(context, self.set), "target": self._measure(target, self.approximate)}
        values = {name: self._value(outcome) for name, outcome in found.items()}
        details = {name: value for name, value in values.items() if value is not None}
        n = found["value"].n
        if len(details) < len(values):
            reason = next(outcome.reason for outcome in found.values() if self._value(outcome) is None)
            return Outcome(None, self.direction, n, details=details, reason=reason or "a token has probability 0")
        return Outcome(abs(details["value"] - details["target"]), self.direction, n, details=details)

    def _measure(self, context: MetricContext, name: str) -> Outcome:
        if self.of == "accuracy":
            return token_accuracy.Metric(name="token_accuracy", sets=(name,), field=self.field, eos=self.eos).compute(
                context
            )
        return perplexity.Metric(name="perplexity", sets=(name,), field=self.field, eos=self.eos).compute(context)

    def _value(self, outcome: Outcome) -> float | None:
        """Return the accuracy, or the log of the perplexity, which is known where the perplexity is too large."""
        return outcome.value if self.of == "accuracy" else outcome.details.get("mean_loss")
