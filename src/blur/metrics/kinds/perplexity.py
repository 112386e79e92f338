"""Perplexity of texts: ``exp(sum of token losses / number of tokens)`` over all scored tokens of the sets together.

Range [1, inf); lower is better; on general answers a collapse indicator (one that TOFU's nine numbers do not have).
Each token weighs the same, so long texts weigh more; items hold each text's mean token loss in nats. All scored tokens
count, the end-of-sequence token included; ``eos: false`` leaves it out. Not defined where a token has probability 0 or
NaN, or where the number exceeds the largest float; ``details`` then still has the mean loss if that is finite.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from blur.core.errors import DataError
from blur.metrics.kinds.base import Direction, MetricContext, OfTokens, Outcome
from blur.metrics.scores import by_id, mean_logprob


class Metric(OfTokens):
    """Perplexity of a field over sets together."""

    direction: ClassVar[Direction] = "lower"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the perplexity; see the module. ``DataError`` where no token is scored."""
        texts = {name: by_id(context.measured.likelihood(name, self.field), self.eos) for name in self.sets}
        logprobs = [score.logprob for scores in texts.values() for score in scores.values()]
        tokens = sum(values.size for values in logprobs)
        if not tokens:
            raise DataError("no scored token to take a perplexity of", f"metric {context.name}", "evaluate other sets")
        loss = -math.fsum(float(np.sum(values)) for values in logprobs) / tokens
        means = {name: {item: mean_logprob(score) for item, score in scores.items()} for name, scores in texts.items()}
        items = {
            name: {item: -mean for item, mean in values.items() if mean is not None and not math.isnan(mean)}
            for name, values in means.items()
        }
        details = {"tokens": float(tokens)} | ({"mean_loss": loss} if math.isfinite(loss) else {})
        value = perplexity(loss)
        reason = None if value is not None else f"a mean loss of {loss:.4g} nats per token has no finite perplexity"
        return Outcome(value, self.direction, len(logprobs), items, details, reason)


def perplexity(loss: float) -> float | None:
    """Return ``exp(loss)``; None where it is not finite."""
    try:
        value = math.exp(loss)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
