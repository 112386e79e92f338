"""Measurements of several epochs: the same tables in a folder ``epochs``, with a column that says which."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from blur.measurements import tables
from blur.measurements.measured import Measurements
from blur.measurements.rows import TABLES

FOLDER = "epochs"
EPOCH = pa.field("epoch", pa.int32())


def write_epochs(directory: Path | str, epochs: Mapping[int, Measurements]) -> list[str]:
    """Write what was measured at each epoch's end (0 = before training); return file names within ``directory``."""
    numbers = sorted(epochs)
    for name, table in TABLES.items():
        rows = [row for number in numbers for row in epochs[number].rows[name]]
        column = [number for number in numbers for _ in epochs[number].rows[name]]
        path = Path(directory) / FOLDER / f"{name}.parquet"
        tables.write(path, rows, pa.schema([*table.schema, EPOCH]), {"epoch": column})
    return [f"{FOLDER}/{name}.parquet" for name in TABLES]


def read_epochs(directory: Path | str) -> dict[int, Measurements]:
    """Read what ``write_epochs`` wrote: measurements by epoch, in rising order."""
    found: dict[int, dict[str, list[Any]]] = {}
    for name, table in TABLES.items():
        read = tables.read(Path(directory) / FOLDER / f"{name}.parquet", pa.schema([*table.schema, EPOCH]))
        numbers = read.column("epoch").to_pylist()
        for number, row in zip(numbers, tables.rows(read, table.row), strict=True):
            found.setdefault(number, {}).setdefault(name, []).append(row)
    return {number: Measurements(**found[number], where=f"{directory}, epoch {number}") for number in sorted(found)}
