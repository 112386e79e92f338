"""Which epoch's weights a run gives.

``last`` is what papers report. ``retrained`` takes the first epoch after which every metric named is as good as that of
the retrained model, measured on the same items: what was to be forgotten is then no better known than to a model that
never saw it. The run ends there, and its weights are those that a whole run has after that epoch; where no epoch gets
so far, they are the last one's. Epoch 0, the model that a run starts from, is no choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, le
from typing import Literal

from pydantic import Field, model_validator

from blur.core.settings import MetricName, Strict
from blur.unlearn.asked import Asked

REACHES: Mapping[str, Callable[[float, float], bool]] = {
    "lower": le,
    "higher": ge,
    "zero": lambda value, reference: abs(value) <= abs(reference),
}
"""Whether a value is as good as the reference, by the metric's direction; a ``match`` can be passed and missed."""


class Select(Strict):
    """A rule, and what it looks at."""

    name: Literal["last", "retrained"] = "last"
    metrics: tuple[MetricName, ...] = Field(
        default=(), description="of the benchmark's `trajectory`; by default all of those of which less is better"
    )

    @model_validator(mode="after")
    def _metrics_have_a_use(self) -> Select:
        if self.metrics and self.name == "last":
            raise ValueError("`select.metrics` means nothing to `last`, which looks at no metric")
        return self

    @property
    def derived(self) -> tuple[Asked, ...]:
        """What has to be made beforehand."""
        return (Asked("epoch_measurements", role="retrained"),) if self.name == "retrained" else ()


def reached(values: Mapping[str, float | None], reference: Mapping[str, float], directions: Mapping[str, str]) -> bool:
    """Return whether every metric of ``reference`` is as good in ``values``; one that is not defined there is not."""
    pairs = ((values[name], wanted, directions[name]) for name, wanted in reference.items())
    return all(value is not None and REACHES[direction](value, wanted) for value, wanted, direction in pairs)
