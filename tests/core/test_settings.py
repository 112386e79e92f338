"""Every number of every settings model has finite bounds and is no truth value; every truth value is no number."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, Strict, TypeAdapter, ValidationError

import blur
from blur.core import settings

NUMBERS = ("Whole", "Count", "Seed", "Real", "NonNegative", "Positive", "Size", "Rate", "Fraction", "BelowOne", "Share")
NEEDS_TORCH = ("blur.warm.server",)
BY_OTHERS = {"Template"}  # of a model, beside its weights; it has no numbers


def models() -> list[type[BaseModel]]:
    """All pydantic models of the package."""
    for module in pkgutil.walk_packages(blur.__path__, "blur."):
        parts = module.name.split(".")
        if parts[1] in ("config", "core", "data", "measure", "attacks", "unlearn", "report", "models", "planner"):
            if any(part in ("settings", "schema", "schedule", "catalogue", "template") for part in parts):
                importlib.import_module(module.name)
            if len(parts) == 4 and parts[2] in AXES:
                importlib.import_module(module.name)
    importlib.import_module("blur.workflow.resources")
    found: dict[type[BaseModel], None] = {}
    pending: list[type[BaseModel]] = [BaseModel]
    while pending:
        for one in pending.pop().__subclasses__():
            pending.append(one)
            if one.__module__.startswith("blur."):
                found[one] = None
    return list(found)


AXES = ("losses", "combine", "optimizers", "scopes", "kinds", "quantizers", "prompts")


def leaves(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[tuple[type, tuple[Any, ...]]]:
    """The plain types that a field may hold, each with what is said of it."""
    if annotation in (int, float, bool):
        yield annotation, metadata
    for inner in get_args(annotation):
        yield from leaves(inner, (*metadata, *getattr(annotation, "__metadata__", ())))


def bound(metadata: tuple[Any, ...], *kinds: type) -> list[float]:
    flat = [one for mark in metadata for one in getattr(mark, "metadata", [mark])]
    return [value for one in flat if isinstance(one, kinds) for value in vars_of(one)]


def vars_of(mark: Any) -> list[float]:
    return [getattr(mark, name) for name in ("ge", "gt", "le", "lt") if hasattr(mark, name)]


FIELDS = [
    (model, name, kind, marks)
    for model in models()
    for name, field in model.model_fields.items()
    for kind, marks in leaves(field.annotation, tuple(field.metadata))
]


def test_all_kinds_of_settings_are_looked_at() -> None:
    names = {model.__name__ for model, *_ in FIELDS}
    assert {
        "UnlearnSettings",
        "MeasureSettings",
        "WorldSource",
        "Scope",
        "Loss",
        "Quantizer",
        "Way",
        "Gpu",
        "Need",
    } <= names
    assert len(FIELDS) > 120


@pytest.mark.parametrize("kind", [int, float])
def test_every_number_has_finite_bounds_and_is_no_truth_value(kind: type) -> None:
    for model, name, found, marks in FIELDS:
        if found is kind:
            where = f"{model.__module__}.{model.__name__}.{name}"
            for kinds in ((Ge, Gt), (Le, Lt)):
                limits = bound(marks, *kinds)
                assert limits, f"{where} has no bound {kinds}"
                assert all(map(math.isfinite, limits)), where
            assert settings._NUMBER in marks, where


def test_every_truth_value_is_strict() -> None:
    for model, name, found, marks in FIELDS:
        if found is bool and model.__name__ not in BY_OTHERS:
            assert any(isinstance(mark, Strict) and mark.strict for mark in marks), f"{model}.{name}"


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, True, False, 1e30, -1e30, "inf", "nan", None, [1]])
def test_no_kind_of_number_takes(name: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(getattr(settings, name)).validate_python(value)


def test_numbers_may_be_typed_as_yaml_has_them() -> None:
    assert TypeAdapter(settings.Rate).validate_python("1e-3") == 1e-3  # no number to YAML 1.1
    assert TypeAdapter(settings.Count).validate_python(3.0) == 3
    assert TypeAdapter(settings.Positive).validate_python(3) == 3.0


def test_all_settings_refuse_unknown_keys() -> None:
    for model in {model for model, *_ in FIELDS}:
        assert model.model_config.get("extra") == "forbid", model
