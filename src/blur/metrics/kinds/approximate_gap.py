"""How far a model is from approximate retraining on what it was to forget (Yao et al., arXiv 2402.15159).

Retraining a language model is not affordable, so a set of the same kind that no training saw (the approximate set)
stands in for it: what the original model, the target, makes of that set is what a model that never saw the forget set
would make of this one. The number is the distance between the two,

    |log ppl(model, forget) - log ppl(target, approximate)|   (``perplexity``: mean token losses, in nats)
    |accuracy(model, forget) - accuracy(target, approximate)| (``accuracy``: see ``token_accuracy``)

The distance is our reading: the paper sets the values side by side. Lower is better, and either side of the target is
as far. ``details`` has both values, and this model's on the approximate set. Not defined where one of the two is not.
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
        """Return what it looks up."""
        return likelihoods([self.set, self.approximate], self.field)

    def compute(self, context: MetricContext) -> Outcome:
        """Return the distance; see the module."""
        target = replace(context, measured=context.reference(self.reference))
        own, wanted = self._measure(context, self.set), self._measure(target, self.approximate)
        found = {"value": own, "target": wanted, "approximate": self._measure(context, self.approximate)}
        values = {name: self._value(outcome) for name, outcome in found.items()}
        details = {name: value for name, value in values.items() if value is not None}
        for name in ("value", "target"):
            if name not in details:
                reason = found[name].reason or "a token has probability 0"
                return Outcome(None, self.direction, own.n, details=details, reason=reason)
        return Outcome(abs(details["value"] - details["target"]), self.direction, own.n, details=details)

    def _measure(self, context: MetricContext, name: str) -> Outcome:
        if self.of == "accuracy":
            return token_accuracy.Metric(name="token_accuracy", sets=(name,), field=self.field, eos=self.eos).compute(
                context
            )
        return perplexity.Metric(name="perplexity", sets=(name,), field=self.field, eos=self.eos).compute(context)

    def _value(self, outcome: Outcome) -> float | None:
        """Return the accuracy, or the log of the perplexity, which is known where the perplexity is too large."""
        return outcome.value if self.of == "accuracy" else outcome.details.get("mean_loss")
