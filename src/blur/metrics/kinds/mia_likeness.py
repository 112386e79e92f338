"""How near an attack's AUC comes to the retrained model's: ``1 - |AUC - AUC_retrained| / AUC_retrained``, at least 0.

With the AUC and the attacks of ``mia``. Range [0, 1], 1 for a model that the attack finds like the retrained one.
Source: the privacy part of open-unlearning's aggregate is the harmonic mean of four of these. Its text prints no
formula; this one reproduces the 152 rows that the authors of the depth score publish: our reading.
``details`` holds both AUCs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from blur.metrics.kinds import mia
from blur.metrics.kinds.base import Direction, MetricContext, Outcome


class Metric(mia.Metric):
    """Likeness to the retrained model under an attack between two sets."""

    direction: ClassVar[Direction] = "higher"

    def compute(self, context: MetricContext) -> Outcome:
        """Return the likeness; see the module."""
        own = super().compute(context)
        its = super().compute(replace(context, measured=context.reference("retrained")))
        if own.value is None or its.value is None or its.value == 0:
            reason = own.reason or its.reason or "the retrained model's AUC is 0: nothing to divide by"
            return replace(own, value=None, details={}, reason=reason)
        details = {"auc": own.value, "auc_retrained": its.value, **own.details}
        return replace(own, value=likeness(own.value, its.value), details=details)


def likeness(area: float, expected: float) -> float:
    """Return ``1 - |area - expected| / expected``, at least 0, of two AUCs, ``expected`` above 0."""
    return max(0.0, 1.0 - abs(area - expected) / expected)
