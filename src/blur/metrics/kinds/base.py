"""What a metric is: parameters, what it looks up, and how it is computed. Imports neither torch nor a measurement.

Undefined values. A collapsed model gives infinities and NaN. An infinite log-probability is a limit and is computed
with (probability 0, a last rank); NaN in any item makes the whole metric undefined (``value`` None and a reason): a
mean over the remaining items would make a collapsed model look like a healthy one. Items to which a metric does not
apply (an answer without tokens, a missing field) are left out and counted in ``details["skipped"]``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from blur.core.choice import Choice
from blur.core.errors import ArtifactError, BlurError, DataError
from blur.core.settings import Flag
from blur.metrics.reasons import NO_MODEL, NO_RECORDS

if TYPE_CHECKING:
    from blur.measurements import GenerationRow, Measurements

PACKAGE = "blur.metrics.kinds"
Reference = Literal["retrained"]
Direction = Literal["higher", "lower", "zero", "match"]
Items = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Reads:
    """What metrics look up in a model's measurements: fields of sets, sets, and harness requests."""

    likelihoods: frozenset[tuple[str, str]] = frozenset()  # set, field
    generations: frozenset[str] = frozenset()
    gradnorm: frozenset[str] = frozenset()
    choices: frozenset[str] = frozenset()

    def __or__(self, other: Reads) -> Reads:
        return Reads(
            self.likelihoods | other.likelihoods,
            self.generations | other.generations,
            self.gradnorm | other.gradnorm,
            self.choices | other.choices,
        )

    @property
    def sets(self) -> frozenset[str]:
        """Names of the sets and requests."""
        return frozenset(name for name, _ in self.likelihoods) | self.generations | self.gradnorm | self.choices


def likelihoods(sets: Iterable[str], *fields: str) -> Reads:
    """Return that likelihoods of these fields of each set are looked up."""
    return Reads(frozenset((name, field) for name in sets for field in fields))


class NotDefinedError(BlurError):
    """The metric has no value for this task; the message is the reason."""


@dataclass(frozen=True)
class Outcome:
    """What a metric says of one model: a number, or why there is none.

    Args:
        value: the number, finite; None where it is not defined.
        direction: what is better: ``higher``, ``lower``, nearer to ``zero``, or a ``match`` with the retrained model.
        n: how many items it is taken over.
        items: value per item, by set and id; may be empty. NaN is left out, infinities are kept.
        details: further finite numbers, such as a test statistic.
        reason: why ``value`` is None.
    """

    value: float | None
    direction: Direction
    n: int
    items: Items = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError("an outcome has either a value or a reason for having none")
        numbers = {"value": 0.0 if self.value is None else self.value, **self.details}
        wrong = [name for name, number in numbers.items() if not math.isfinite(number)]
        if wrong or any(math.isnan(value) for values in self.items.values() for value in values.values()):
            raise ValueError(f"not finite: {', '.join(wrong) or 'items'}")


@dataclass(frozen=True)
class MetricContext:
    """What a metric may look at: the model's measurements, those of reference models, metrics computed before it."""

    name: str
    measured: Measurements
    references: Mapping[str, Measurements]
    computed: Mapping[str, Outcome]
    allow_missing: frozenset[str] = frozenset()

    def reference(self, name: str) -> Measurements:
        """Return the measurements of a reference model.

        Raises:
            NotDefinedError: the task says that there is no such model.
            ArtifactError: there should be one, and it was not given.
        """
        if name in self.references:
            return self.references[name]
        if name in self.allow_missing:
            raise NotDefinedError(f"not defined: {NO_MODEL} {name} model")
        raise ArtifactError(
            f"needs the measurements of the {name} model",
            f"metric {self.name}",
            f"Type `blur evaluate --method {name}` with its task, or set `{name}: {{kind: none}}` in the task",
        )


class MetricBase(Choice):
    """A metric; its fields are the parameters that a specification gives it beside its name.

    Attributes:
        direction: what is better, where the specification does not say otherwise.
    """

    direction: ClassVar[Direction]

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the metrics that it is made of, which are computed before it."""
        return ()

    def reads(self) -> Reads:
        """Return what ``compute`` looks up in the measurements of the model."""
        raise NotImplementedError

    def compute(self, context: MetricContext) -> Outcome:
        """Return the number.

        Raises:
            NotDefinedError: there can be none for this task.
            ArtifactError: something was not measured.
        """
        raise NotImplementedError


class OfAnswers(MetricBase):
    """The mean over a set's generated answers of what each scores."""

    direction: ClassVar[Direction] = "higher"
    set: str

    def reads(self) -> Reads:
        """Return what it looks up."""
        return Reads(generations=frozenset([self.set]))

    def score(self, answer: GenerationRow) -> float | None:
        """Return what an answer scores; None where the metric does not apply to it."""
        raise NotImplementedError

    def compute(self, context: MetricContext) -> Outcome:
        """Return the mean; see the module."""
        answers = context.measured.generations(self.set)
        return mean_of({self.set: {row.id: self.score(row) for row in answers}}, self.direction)


class OfTokens(MetricBase):
    """A number of all scored tokens of a field, over sets together."""

    sets: tuple[str, ...] = Field(min_length=1)
    field: str = "answer"
    eos: Flag = True

    def reads(self) -> Reads:
        """Return what it looks up."""
        return likelihoods(self.sets, self.field)


@dataclass(frozen=True)
class Parts:
    """What a composite is made of.

    Attributes:
        outcomes: those that count, by name.
        n: their items.
        reason: why some have no value; None where all have one.
    """

    outcomes: Mapping[str, Outcome]
    n: int
    reason: str | None

    @property
    def values(self) -> dict[str, float]:
        """The values that there are, by name."""
        return {name: one.value for name, one in self.outcomes.items() if one.value is not None}


class Composite(MetricBase):
    """A metric made of others alone."""

    of: tuple[str, ...] = Field(min_length=1)
    without_empty: Flag = Field(
        False, description="leave out parts of sets of which the task's data have no record, not all of them"
    )

    @property
    def parts(self) -> tuple[str, ...]:
        """Those that it is ``of``."""
        return self.of

    def reads(self) -> Reads:
        """Return nothing: its parts look up what they need."""
        return Reads()

    def computed(self, context: MetricContext) -> Parts:
        """Return its parts."""
        found = {name: context.computed[name] for name in self.of}
        there = {
            name: one for name, one in found.items() if not (self.without_empty and NO_RECORDS in (one.reason or ""))
        }
        counted = there or found
        undefined = [(str(one.reason), name) for name, one in counted.items() if one.value is None]
        alike = {reason: [name for other, name in undefined if other == reason] for reason, _ in undefined}
        reasons = [f"{', '.join(names)}: {reason}" for reason, names in alike.items()]
        return Parts(counted, sum(one.n for one in counted.values()), "; ".join(reasons) or None)


def mean_of(
    items: Mapping[str, Mapping[str, float | None]], direction: Direction, details: Mapping[str, float] | None = None
) -> Outcome:
    """Return the mean over items; None marks items to which it does not apply.

    Args:
        items: value by set and id.
        direction: see ``Outcome``.
        details: added to the metric's details.

    Raises:
        DataError: there is no item at all.
    """
    given = [value for values in items.values() for value in values.values()]
    if not given:
        raise DataError(
            "no item to take a mean over",
            f"sets {', '.join(items)}",
            "Name those sets under `measure` of the benchmark",
        )
    known = [value for value in given if value is not None]
    kept = {
        name: {item: value for item, value in values.items() if value is not None and not math.isnan(value)}
        for name, values in items.items()
    }
    extra = dict(details or {}) | ({"skipped": float(len(given) - len(known))} if len(known) < len(given) else {})
    reason = None if known else f"none of the {len(given)} items can be scored"
    reason = reason or undefined_reason(known)
    mean = None if reason else math.fsum(known) / len(known)
    return Outcome(mean, direction, len(known), kept, extra, reason)


def undefined_reason(values: Iterable[float]) -> str | None:
    """Return why a mean over ``values`` would not be a number, or None if it is one."""
    numbers = list(values)
    for what, test in (("NaN", math.isnan), ("infinite", math.isinf)):
        count = sum(test(value) for value in numbers)
        if count:
            return f"{count} of {len(numbers)} items are {what} (the model has collapsed)"
    return None
