"""The typed form of ``config/published.yaml``: what is known of the paper, and what others measured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from blur.core.settings import ColumnName, Names, NonNegative, Real, RunName, SettingName, Strict
from blur.report.wording import UNITS

BenchmarkName = Annotated[str, Names("benchmark")]
FigureName = Annotated[str, Names("figure")]
SourceName = Annotated[str, Names("source")]
TaskName = Annotated[str, Names("task")]
Unit = Literal["percent", "fraction"]
Certainty = Literal["confirmed", "second hand", "inferred", "unknown"]

_SPREAD = re.compile(r"(\S+) ± (\S+)")


class Measure(Strict):
    """A published number, and what stands behind its ``±`` where it has one."""

    value: Real
    half: NonNegative | None = None

    def times(self, factor: float) -> Measure:
        """Return the number in another unit."""
        return Measure(value=self.value * factor, half=None if self.half is None else self.half * factor)


def _measure(value: Any) -> Any:
    """Read ``26.9`` and ``3.09 ± 4.97`` as numbers; leave every other text, such as the name of a schedule."""
    if not isinstance(value, str):
        return {"value": value}
    parts = _SPREAD.fullmatch(value)
    return {"value": parts[1], "half": parts[2]} if parts else value


Value = Annotated[
    Measure | str,
    BeforeValidator(_measure),
    WithJsonSchema({"type": ["number", "string"], "description": "26.9, 3.09 ± 4.97, or a setting's text"}),
]


class Source(Strict):
    """Where published facts are from."""

    title: str = Field(description="as the page names it")
    url: str = Field(pattern=r"^https://\S+$")
    what: str = Field(description="what it is, and how far it was read")


class Reading(Strict):
    """What one source says of a row."""

    who: SourceName
    values: dict[str, Value] = Field(min_length=1, description="by column")
    unit: Unit | None = Field(None, description="as printed there, where it is not the part's")
    note: str = Field("", description="under which settings, and what else tells it apart")


class Row(Strict):
    """A run of ours by its name, what the paper says of it, and what others measured."""

    run: RunName = Field(description="method, method/variant, target or retrained")
    paper: tuple[Reading, ...] = Field((), description="known of the paper; `who` quotes it, or is its authors' code")
    rerun: tuple[Reading, ...] = Field((), description="measured by others")


class Part(Strict):
    """A table, or a part of one: rows are runs, columns are either metrics or settings."""

    title: str
    benchmark: BenchmarkName
    task: TaskName | None = Field(None, description="task of ours that is set beside it; none where we have none")
    unit: Unit = Field("fraction", description="in which all three columns stand; percent stays percent")
    metrics: tuple[ColumnName, ...] = ()
    settings: tuple[SettingName, ...] = Field((), description="dotted, places in a list by number: forget.0.loss.beta")
    rows: tuple[Row, ...] = Field(min_length=1)
    note: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The metrics, or the settings."""
        return self.metrics or self.settings

    @model_validator(mode="after")
    def _columns_are_of_one_kind(self) -> Part:
        if bool(self.metrics) == bool(self.settings):
            raise ValueError("give either `metrics` or `settings`")
        if self.settings and self.task is None:
            raise ValueError("`settings` are those of a `task`: name it")
        return self

    @model_validator(mode="after")
    def _values_have_columns(self) -> Part:
        runs = [row.run for row in self.rows]
        if twice := [run for run in runs if runs.count(run) > 1]:
            raise ValueError(f"`rows` has the run {twice[0]!r} twice")
        for row in self.rows:
            for reading in (*row.paper, *row.rerun):
                for name, value in reading.values.items():
                    said = f"{row.run}, who {reading.who}: values.{name}"
                    if name not in self.columns:
                        raise ValueError(f"{said} is none of the columns {', '.join(self.columns)}")
                    if self.metrics and isinstance(value, str):
                        raise ValueError(f"{said} is neither a number nor of the form '3.09 ± 4.97': {value!r}")
        return self

    def in_unit(self, reading: Reading, column: str) -> Measure | str | None:
        """Return what a source says of a column, in the part's unit; None where it says nothing."""
        found = reading.values.get(column)
        if isinstance(found, Measure) and self.metrics:
            return found.times(factor(column, reading.unit or self.unit, self.unit))
        return found


def factor(metric: str, given: Unit, wanted: Unit) -> float:
    """Return what a metric is multiplied by to go from one unit to another; one that is in percent anyway stays."""
    if given == wanted or metric in UNITS:
        return 1.0
    return 100.0 if wanted == "percent" else 0.01


class Table(Strict):
    """One of the paper's tables."""

    label: str
    title: str
    identified: Certainty = Field(description="how sure it is that this is what stands under that number")
    known: str = ""
    unknown: str = ""
    parts: dict[str, Part] = Field(default_factory=dict, description="by a name of ours; none where nothing is known")


class Drawn(Strict):
    """The figure that we draw for it."""

    figure: FigureName
    task: TaskName


class Figure(Strict):
    """One of the paper's figures."""

    label: str
    title: str
    identified: Certainty
    source: SourceName | None = Field(None, description="that tells what it shows")
    known: str = Field("", description="what it shows, axes among it; empty where not even that is known")
    unknown: str
    others: str = Field("", description="who else drew it")
    drawn: Drawn

    @model_validator(mode="after")
    def _what_is_known_has_a_source(self) -> Figure:
        if bool(self.known) != (self.source is not None):
            raise ValueError("`known` and `source` go together")
        return self


class Published(Strict):
    """``config/published.yaml``."""

    sources: dict[str, Source]
    tables: dict[str, Table]
    figures: dict[str, Figure]

    def parts(self) -> Iterator[tuple[str, str, Part]]:
        """Yield every part with its table's key and its own."""
        for key, table in self.tables.items():
            for name, part in table.parts.items():
                yield key, name, part
