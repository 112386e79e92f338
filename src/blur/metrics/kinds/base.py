"""What a metric is, and the look-up that computes a benchmark's list of them.

A metric is a module ``blur.metrics.kinds.<metric>`` with a ``DIRECTION``, ``compute(context, **params) -> Metric`` and
``reads(**params) -> Reads``, which says what ``compute`` looks up. The keyword parameters of ``compute``, with their
annotations, are the keys that a specification may hold; ``reads`` names those it needs. Where some of them exclude each
other, ``check_params(params, where)`` refuses such a specification with a ``ConfigError``.

Undefined values. A collapsed model gives infinities and NaN. An infinite log-probability is a limit and is computed
with (probability 0, a last rank); NaN in any item makes the whole metric undefined (``value`` None and a reason): a
mean over the remaining items would make a collapsed model look like a healthy one. Items to which a metric does not
apply (an answer without tokens, a missing field) are left out and counted in ``details["skipped"]``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import math
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from blur.core.errors import ArtifactError, BlurError, ConfigError, DataError, did_you_mean
from blur.metrics.reasons import NO_MODEL, NO_RECORDS

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from blur.measurements import Measurements

Reference = Literal["retrained"]
Direction = Literal["higher", "lower", "zero", "match"]
Items = Mapping[str, Mapping[str, float]]
DIRECTIONS = ("higher", "lower", "zero", "match")
PACKAGE = "blur.metrics.kinds"
RESERVED = ("name", "metric", "direction")


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


def likelihoods(sets: Iterable[str], *fields: str) -> Reads:
    """Return that likelihoods of these fields of each set are looked up."""
    return Reads(frozenset((name, field) for name in sets for field in fields))


class NotDefinedError(BlurError):
    """The metric has no value for this task; the message is the reason."""


@dataclass(frozen=True)
class Metric:
    """One number about one model.

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
            raise ValueError("a metric has either a value or a reason for having none")
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
    computed: Mapping[str, Metric]
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


def mean_of(
    items: Mapping[str, Mapping[str, float | None]], direction: Direction, details: Mapping[str, float] | None = None
) -> Metric:
    """Return the mean over items as a metric; None marks items to which it does not apply.

    Args:
        items: value by set and id.
        direction: see ``Metric``.
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
    return Metric(mean, direction, len(known), kept, extra, reason)


def undefined_reason(values: Iterable[float]) -> str | None:
    """Return why a mean over ``values`` would not be a number, or None if it is one."""
    numbers = list(values)
    for what, test in (("NaN", math.isnan), ("infinite", math.isinf)):
        count = sum(test(value) for value in numbers)
        if count:
            return f"{count} of {len(numbers)} items are {what} (the model has collapsed)"
    return None


def compute_all(
    specs: Sequence[Mapping[str, Any]],
    measured: Measurements,
    references: Mapping[str, Measurements],
    allow_missing: frozenset[str] = frozenset(),
    empty_sets: frozenset[str] = frozenset(),
) -> dict[str, Metric]:
    """Compute a benchmark's metrics in the order given.

    Args:
        specs: one mapping per metric: ``name``, ``metric`` (the module), optionally ``direction`` instead of the
            metric's own, and parameters of its ``compute``.
        measured: the model's raw measurements.
        references: measurements of reference models by name, such as ``retrained``.
        allow_missing: references that the task says do not exist; metrics that need them are not defined.
        empty_sets: sets, and requests, of which the task's data have no record; metrics of them are not defined.

    Raises:
        ConfigError: see ``check_specs``.
        ArtifactError: a set, field or reference was not measured.
    """
    check_specs(specs)
    computed: dict[str, Metric] = {}
    for spec in specs:
        module = _module(spec["metric"], spec["name"])
        context = MetricContext(spec["name"], measured, references, computed, allow_missing)
        empty = sorted(sets_of(spec) & empty_sets)
        try:
            if empty:
                raise NotDefinedError(f"not defined: {NO_RECORDS} {empty[0]!r}")
            metric = module.compute(context, **_params(spec))
        except NotDefinedError as missing:
            metric = Metric(None, module.DIRECTION, 0, reason=missing.what)
        computed[spec["name"]] = replace(metric, direction=spec.get("direction", metric.direction))
    return computed


def check_specs(specs: Sequence[Mapping[str, Any]]) -> None:
    """Check names, parameters and their types without any measurement; cheap enough for planning.

    Raises:
        ConfigError: unknown metric or parameter (with the nearest name), wrong type, name given twice, or a metric
            built ``of`` others that do not come before it.
    """
    seen: list[str] = []
    for spec in specs:
        name = spec.get("name")
        if not isinstance(name, str) or not isinstance(spec.get("metric"), str):
            raise ConfigError(f"a metric needs `name` and `metric`, and {dict(spec)} lacks one", "metrics")
        if name in seen:
            raise ConfigError("this name is given to two metrics", f"metric {name}", "rename one of them")
        if spec.get("direction", "higher") not in DIRECTIONS:
            raise ConfigError(f"unknown direction {spec['direction']!r}", f"metric {name}", _nearest("", DIRECTIONS))
        _check_params(_module(spec["metric"], name), _params(spec), name)
        for other in spec.get("of", ()):
            if other not in seen:
                raise ConfigError(f"no metric {other!r} before this one", f"metric {name}", _nearest(other, seen))
        seen.append(name)


def reads_of(specs: Sequence[Mapping[str, Any]]) -> Reads:
    """Return what the metrics of ``specs`` look up in the measurements of the model they are about.

    Raises:
        ConfigError: see ``check_specs``.
    """
    check_specs(specs)
    found = Reads()
    for spec in specs:
        module = _module(spec["metric"], spec["name"])
        given = {name: item.default for name, item in inspect.signature(module.compute).parameters.items()} | _params(
            spec
        )
        found |= module.reads(**{name: given[name] for name in inspect.signature(module.reads).parameters})
    return found


def with_parts(names: Iterable[str], specs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the specifications of the metrics named, and of those that they are built ``of``, in their order."""
    wanted = set(names)
    for spec in reversed(specs):
        if spec["name"] in wanted:
            wanted |= set(spec.get("of", ()))
    return [spec for spec in specs if spec["name"] in wanted]


def sets_of(spec: Mapping[str, Any]) -> set[str]:
    """Return the names of the sets, or of the request, that a metric reads."""
    single = {spec[key] for key in ("set", "members", "nonmembers", "request") if key in spec}
    return single | set(spec.get("sets", ()))


def _params(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in RESERVED}


def _module(metric: str, name: str) -> ModuleType:
    if metric.isidentifier() and importlib.util.find_spec(f"{PACKAGE}.{metric}"):
        module = importlib.import_module(f"{PACKAGE}.{metric}")
        if hasattr(module, "compute"):
            return module
    raise ConfigError(f"there is no metric {metric!r}", f"metric {name}", _nearest(metric, _known()))


def _known() -> list[str]:
    package = importlib.import_module(PACKAGE)
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return [name for name in names if hasattr(importlib.import_module(f"{PACKAGE}.{name}"), "compute")]


def _check_params(module: ModuleType, params: Mapping[str, Any], name: str) -> None:
    from pydantic import ValidationError

    metric, where = module.__name__.rpartition(".")[2], f"metric {name}"
    known = _parameters(module)
    for key, value in params.items():
        if key not in known:
            raise ConfigError(f"{metric} has no parameter {key!r}", where, _nearest(key, known))
        adapter, is_needed = known[key]
        try:
            adapter.validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigError(f"`{key}: {value}`: {error.errors()[0]['msg']}", where) from None
        if value == [] and is_needed:
            raise ConfigError(f"`{key}` names nothing", where, "Name at least one")
    missing = [key for key, (_, is_needed) in known.items() if is_needed and key not in params]
    if missing:
        raise ConfigError(f"{metric} needs the parameter {missing[0]!r}", where)
    if hasattr(module, "check_params"):
        module.check_params(params, where)


@cache
def _parameters(module: ModuleType) -> dict[str, tuple[TypeAdapter[Any], bool]]:
    """Return, by the name of each parameter of a metric, what checks its value, and whether it must be given."""
    from pydantic import TypeAdapter

    hints = get_type_hints(module.compute, include_extras=True)
    asked = list(inspect.signature(module.compute).parameters.items())[1:]
    return {key: (TypeAdapter(hints[key]), about.default is about.empty) for key, about in asked}


def _nearest(word: str, words: Iterable[str]) -> str | None:
    names = list(words)
    return did_you_mean(word, names, f"Known: {', '.join(names) or 'none'}")
