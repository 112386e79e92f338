"""PrivLeak: ``100 (AUC - AUC_retrained) / AUC_retrained``, how far membership shows beyond the retrained model.

Source: MUSE (arXiv 2407.06460), section 3, equation for PrivLeak, with Min-40%. The best value is 0. In MUSE's
orientation, kept here, AUC = P(a forget text looks *less* known than a holdout text), ties half, that is one minus
the AUC of
``mia``: a model that still remembers has AUC near 0 and PrivLeak near -100 (under-unlearning; MUSE's targets have
-99.8 and -57), and one that pushed the forget set below unseen text has a positive PrivLeak (over-unlearning; at most
``100 (1/AUC_retrained - 1)``, about 110 for MUSE-News). The end-of-sequence token does not count; ``eos: true``
counts it.

Reference code: MUSE hard-codes AUC_retrained of its own models (0.4772 News, 0.5393 Books), which belongs to no other
retrained model; open-unlearning falls back to 0.5 with a warning where the logs are missing (anchors.md 1.6 #10).
Here the retrained model's measurements are an input, and missing ones an error.
"""

from __future__ import annotations

from blur.metrics import mia
from blur.metrics.base import Direction, Metric, MetricContext

DIRECTION: Direction = "zero"


def compute(
    context: MetricContext,
    members: str,
    nonmembers: str,
    field: str = "answer",
    k: float = 0.4,
    reference: str = "retrained",
    eos: bool = False,
) -> Metric:
    """Return PrivLeak of this model against ``reference`` with Min-K; see the module."""
    pair = []
    for measured in (context.measured, context.reference(reference)):
        other = MetricContext(context.name, measured, context.references, context.computed, context.allow_missing)
        pair.append(mia.compute(other, "min_k", members, nonmembers, field, k, reference, eos))
    own, its = pair
    if own.value is None or its.value is None:
        return Metric(None, DIRECTION, own.n, reason=own.reason or its.reason)
    area, expected = 1.0 - own.value, 1.0 - its.value
    details = {"auc": area, "auc_retrained": expected, **own.details}
    if expected == 0.0:
        return Metric(None, DIRECTION, own.n, {}, details, f"the {reference} model's AUC is 0: nothing to divide by")
    return Metric(privleak(area, expected), DIRECTION, own.n, {}, details)


def privleak(area: float, expected: float) -> float:
    """Return ``100 (area - expected) / expected`` of two AUCs in MUSE's orientation, ``expected`` above 0."""
    return 100.0 * (area - expected) / expected
