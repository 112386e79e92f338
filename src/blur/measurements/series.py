"""Several measurements in one folder: of epochs, or of an attack's points. A column says which is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from blur.measurements import tables
from blur.measurements.measured import Measurements
from blur.measurements.rows import TABLES

Name = TypeVar("Name", int, str)
EPOCH = pa.field("epoch", pa.int32())
POINT = pa.field("point", pa.string())


def write_epochs(directory: Path | str, epochs: Mapping[int, Measurements]) -> list[str]:
    """Write what was measured at each epoch's end (0 = before training); return the names of the files."""
    return _write(Path(directory), EPOCH, dict(sorted(epochs.items())))


def join_epochs(parts: Sequence[Path], directory: Path | str) -> list[str]:
    """Write the epochs of several directories, given in rising order, into one; return the names of the files."""
    return _join(parts, Path(directory), EPOCH)


def read_epochs(directory: Path | str) -> dict[int, Measurements]:
    """Read what ``write_epochs`` wrote: measurements by epoch, in rising order."""
    return dict(sorted(_read(Path(directory), EPOCH).items()))


def write_points(directory: Path | str, points: Mapping[str, Measurements]) -> list[str]:
    """Write the points in the order given; return file names within ``directory``."""
    return _write(Path(directory), POINT, points)


def join_points(parts: Sequence[Path], directory: Path | str) -> list[str]:
    """Write the points of several directories, in the order given, into one; return file names within it."""
    return _join(parts, Path(directory), POINT)


def read_points(directory: Path | str) -> dict[str, Measurements]:
    """Read what ``write_points`` wrote."""
    return _read(Path(directory), POINT)


def _write(folder: Path, column: pa.Field, series: Mapping[Name, Measurements]) -> list[str]:
    """Write all measurements in the order given, their names in ``column``; return the names of the files."""
    for kind in TABLES:
        rows = [row for measured in series.values() for row in measured.rows[kind]]
        names = [name for name, measured in series.items() for _ in measured.rows[kind]]
        path = folder / f"{kind}.parquet"
        tables.write(path, rows, _schema(kind, column), {column.name: names})
    return [f"{name}.parquet" for name in TABLES]


def _join(parts: Sequence[Path], folder: Path, column: pa.Field) -> list[str]:
    """Write what several folders hold into one, in the order given; no row of it is looked at."""
    for kind in TABLES:
        schema = _schema(kind, column)
        found = (tables.read(part / f"{kind}.parquet", schema) for part in parts)
        tables.save(folder / f"{kind}.parquet", pa.concat_tables([schema.empty_table(), *found]).combine_chunks())
    return [f"{name}.parquet" for name in TABLES]


def _read(folder: Path, column: pa.Field) -> dict[Any, Measurements]:
    """Read what ``_write`` wrote; measurements without a single row are not there."""
    found: dict[Any, dict[str, list[Any]]] = {}
    for kind in TABLES:
        content = tables.read(folder / f"{kind}.parquet", _schema(kind, column))
        names = content.column(column.name).to_pylist()
        for name, row in zip(names, tables.rows(content, TABLES[kind].row), strict=True):
            found.setdefault(name, {}).setdefault(kind, []).append(row)
    return {name: Measurements(**rows, where=f"{folder}, {column.name} {name}") for name, rows in found.items()}


def _schema(kind: str, column: pa.Field) -> pa.Schema:
    return pa.schema([*TABLES[kind].schema, column])
