"""A benchmark's list of metrics: what a specification may say, and the computing of all of them in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ValidationError, model_validator

from blur.core.choice import Axis
from blur.core.errors import ConfigError, did_you_mean
from blur.core.settings import Strict
from blur.core.words import said
from blur.metrics.kinds.base import PACKAGE, Direction, MetricBase, MetricContext, NotDefinedError, Outcome, Reads
from blur.metrics.reasons import NO_RECORDS

if TYPE_CHECKING:
    from blur.measurements import Measurements

Given = Mapping[str, Any]
"""A specification as YAML has it: ``name``, ``metric``, perhaps ``direction``, and beside them the parameters."""

RESERVED = ("name", "metric", "direction")


class Spec(Strict):
    """One metric of a benchmark.

    Attributes:
        name: that results, tables and figures call it by.
        metric: which one it is, with its parameters.
        direction: what is better, where it is not what is better for the metric in general.
        given: all of it as the file has it, for a job's settings.
    """

    name: str
    metric: Annotated[MetricBase, Axis(PACKAGE, "Metric")]
    direction: Direction | None = None
    given: Given

    @property
    def better(self) -> Direction:
        """What is better."""
        return self.direction or self.metric.direction

    @model_validator(mode="before")
    @classmethod
    def _parameters_are_the_metrics(cls, given: Given) -> Given:
        own = {key: value for key, value in given.items() if key in RESERVED}
        parameters = {key: value for key, value in given.items() if key not in RESERVED}
        metric = {"metric": {"name": own["metric"], **parameters}} if "metric" in own else {}
        return {**own, **metric, "given": given}


def read_specs(specs: Sequence[Given]) -> list[Spec]:
    """Return the specifications, checked without any measurement; cheap enough for planning.

    Raises:
        ConfigError: unknown metric or parameter (with the nearest name), wrong type, name given twice, or a metric
            made of others that do not come before it.
    """
    found: dict[str, Spec] = {}
    for given in specs:
        spec = _read(given)
        where = f"metric {spec.name}"
        if spec.name in found:
            raise ConfigError("this name is given to two metrics", where, "Rename one of them")
        for part in spec.metric.parts:
            if part not in found:
                remedy = did_you_mean(part, found, f"Known: {', '.join(found) or 'none'}")
                raise ConfigError(f"no metric {part!r} before this one", where, remedy)
        found[spec.name] = spec
    return list(found.values())


def _read(given: Given) -> Spec:
    try:
        return Spec.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        told = "" if fault["type"] == "missing" else ":"
        raise ConfigError(
            f"key {fault['loc'][0]!r}{told} {said(fault)}", f"metric {given.get('name', given)}"
        ) from None


def compute_all(
    specs: Sequence[Given],
    measured: Measurements,
    references: Mapping[str, Measurements],
    allow_missing: frozenset[str] = frozenset(),
    empty_sets: frozenset[str] = frozenset(),
) -> dict[str, Outcome]:
    """Compute a benchmark's metrics in the order given.

    Args:
        specs: see ``Spec``.
        measured: the model's raw measurements.
        references: measurements of reference models by name, such as ``retrained``.
        allow_missing: references that the task says do not exist; metrics that need them are not defined.
        empty_sets: sets, and requests, of which the task's data have no record; metrics of them are not defined.

    Raises:
        ConfigError: see ``read_specs``.
        ArtifactError: a set, field or reference was not measured.
    """
    computed: dict[str, Outcome] = {}
    for spec in read_specs(specs):
        context = MetricContext(spec.name, measured, references, computed, allow_missing)
        empty = sorted(spec.metric.reads().sets & empty_sets)
        try:
            if empty:
                raise NotDefinedError(f"not defined: {NO_RECORDS} {empty[0]!r}")
            outcome = spec.metric.compute(context)
        except NotDefinedError as missing:
            outcome = Outcome(None, spec.metric.direction, 0, reason=missing.what)
        computed[spec.name] = replace(outcome, direction=spec.direction or outcome.direction)
    return computed


def reads_of(specs: Iterable[Spec]) -> Reads:
    """Return what the metrics of ``specs`` look up in the measurements of the model they are about."""
    found = Reads()
    for spec in specs:
        found |= spec.metric.reads()
    return found


def with_parts(names: Iterable[str], specs: Sequence[Spec]) -> list[Spec]:
    """Return the specifications of the metrics named, and of those that they are made of, in their order."""
    wanted = set(names)
    for spec in reversed(specs):
        if spec.name in wanted:
            wanted |= set(spec.metric.parts)
    return [spec for spec in specs if spec.name in wanted]
