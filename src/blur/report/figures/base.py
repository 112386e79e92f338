"""What a figure is: options, the rows of its CSV, and how these are drawn. Imports no matplotlib before it draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blur.core.choice import Choice
from blur.core.settings import ColumnName, MetricName, Real
from blur.report.runs import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Row = dict[str, Any]
Metrics = Annotated[tuple[ColumnName, ...], Field(min_length=1)]
Chance = dict[MetricName, Real] | None


class FigureBase(Choice):
    """A figure; its fields are the ``options`` that a benchmark's file gives it."""

    def data(self, runs: Sequence[Run]) -> list[Row]:
        """Return the rows that are drawn, for the CSV as well."""
        raise NotImplementedError

    def draw(self, rows: list[Row], runs: Sequence[Run], title: str) -> Canvas:
        """Draw what ``data`` returned.

        Args:
            runs: those that ``data`` got: how they look, what they are called.
            title: of the task.
        """
        raise NotImplementedError
