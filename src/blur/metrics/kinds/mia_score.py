"""How near to guessing a membership attack is: ``1 - 2 |AUC - 0.5|``, with the AUC and the attacks of ``mia``.

Source: SemEval-2025 task 4 (arXiv 2504.02883), whose official script takes the loss of whole documents. Range [0, 1]; 1
where members cannot be told from others, 0 where they always can, whichever way round. It asks for no retrained model,
and a model that has collapsed, or was never trained, gets nearly 1. ``details`` holds the AUC.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from blur.metrics.kinds import mia
from blur.metrics.kinds.base import Direction, MetricContext, Outcome


class Metric(mia.Metric):
    """The score of an attack between two sets."""

    direction: ClassVar[Direction] = "higher"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the score; see the module."""
        found = super().compute(context)
        if found.value is None:
            return found
        value = 1.0 - 2.0 * abs(found.value - 0.5)
        return replace(found, value=value, details={"auc": found.value, **found.details})
