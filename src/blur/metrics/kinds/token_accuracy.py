"""Next-token accuracy: share of all scored tokens of the sets together that are the most likely one.

Each is predicted from the true ones before it. Source: Yao et al. (arXiv 2402.15159), who give it beside perplexity for
the forget, the general and the approximate set. Range [0, 1]. Each token weighs the same; ``exact_memorization`` is the
same share as a mean over texts. The end-of-sequence token counts, as in perplexity; ``eos: false`` leaves it out. A NaN
makes it undefined: the argmax of NaN logits means nothing. Items hold each text's share.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from blur.core.errors import DataError
from blur.metrics.kinds.base import Direction, MetricContext, OfTokens, Outcome
from blur.metrics.kinds.exact_memorization import matched_share
from blur.metrics.scores import by_id, known


class Metric(OfTokens):
    """Next-token accuracy of a field over sets together."""

    direction: ClassVar[Direction] = "higher"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the share; see the module. ``DataError`` where no token is scored."""
        texts = {name: by_id(context.measured.likelihood(name, self.field), self.eos) for name in self.sets}
        scores = [score for found in texts.values() for score in found.values()]
        matched = [bool(match) for score in scores for match in score.argmax]
        if not matched:
            raise DataError("no scored token to be right about", f"metric {context.name}", "evaluate other sets")
        shares = {
            name: known({item: matched_share(score) for item, score in found.items()}) for name, found in texts.items()
        }
        undefined = sum(bool(np.isnan(score.logprob).any()) for score in scores)
        items = {
            name: {item: share for item, share in found.items() if not np.isnan(share)}
            for name, found in shares.items()
        }
        details = {"tokens": float(len(matched))}
        if undefined:
            reason = f"{undefined} of {len(scores)} texts have a NaN (the model has collapsed)"
            return Outcome(None, self.direction, len(scores), items, details, reason)
        return Outcome(sum(matched) / len(matched), self.direction, len(scores), items, details)
