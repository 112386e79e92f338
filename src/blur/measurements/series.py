"""Several measurements in one folder: the same tables, with a column that says which is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from blur.measurements import tables
from blur.measurements.measured import Measurements
from blur.measurements.rows import TABLES

Name = TypeVar("Name", int, str)


def write(folder: Path, column: pa.Field, series: Mapping[Name, Measurements]) -> list[str]:
    """Write all measurements in the order given, their names in ``column``; return the names of the files."""
    for kind in TABLES:
        rows = [row for measured in series.values() for row in measured.rows[kind]]
        names = [name for name, measured in series.items() for _ in measured.rows[kind]]
        path = folder / f"{kind}.parquet"
        tables.write(path, rows, _schema(kind, column), {column.name: names})
    return [f"{name}.parquet" for name in TABLES]


def join(parts: Sequence[Path], folder: Path, column: pa.Field) -> list[str]:
    """Write what several folders hold into one, in the order given; no row of it is looked at."""
    for kind in TABLES:
        schema = _schema(kind, column)
        found = (tables.read(part / f"{kind}.parquet", schema) for part in parts)
        tables.save(folder / f"{kind}.parquet", pa.concat_tables([schema.empty_table(), *found]).combine_chunks())
    return [f"{name}.parquet" for name in TABLES]


def read(folder: Path, column: pa.Field) -> dict[Any, Measurements]:
    """Read what ``write`` wrote; measurements without a single row are not there."""
    found: dict[Any, dict[str, list[Any]]] = {}
    for kind in TABLES:
        content = tables.read(folder / f"{kind}.parquet", _schema(kind, column))
        names = content.column(column.name).to_pylist()
        for name, row in zip(names, tables.rows(content, TABLES[kind].row), strict=True):
            found.setdefault(name, {}).setdefault(kind, []).append(row)
    return {name: Measurements(**rows, where=f"{folder}, {column.name} {name}") for name, rows in found.items()}


def _schema(kind: str, column: pa.Field) -> pa.Schema:
    return pa.schema([*TABLES[kind].schema, column])
