"""The typed options of each figure are the parameters of its ``draw``, with the same defaults."""

from __future__ import annotations

import inspect

import pytest

from blur.report import figures
from blur.report.settings import OPTIONS
from tests.report.options import OPTIONS as SHIPPED


def test_every_figure_has_typed_options() -> None:
    assert sorted(OPTIONS) == figures.names()


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_options_are_the_parameters_of_draw(name: str) -> None:
    parameters = list(inspect.signature(figures.load(name).draw).parameters.values())[2:]
    fields = OPTIONS[name].model_fields
    assert fields.keys() == {one.name for one in parameters}
    for one in parameters:
        field = fields[one.name]
        assert field.is_required() == (one.default is one.empty)
        assert field.is_required() or field.default == one.default
    for bench in SHIPPED.values():
        OPTIONS[name].model_validate(bench[name])
