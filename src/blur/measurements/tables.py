"""Reading and writing rows as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blur.core.errors import ArtifactError
from blur.core.files import atomic_path
from blur.core.remedy import to_mend


def write(path: Path, rows: Iterable[Any], schema: pa.Schema, extra: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write rows of one dataclass, and ``extra`` columns that no row has, whole or not at all."""
    rows, extra = list(rows), extra or {}
    columns = {name: extra[name] if name in extra else [getattr(row, name) for row in rows] for name in schema.names}
    save(path, pa.table(columns, schema=schema))


def save(path: Path, table: pa.Table) -> None:
    """Write a table, whole or not at all."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a table's columns in the order of ``schema``; ``ArtifactError`` where the file or a column is missing."""
    if not path.is_file():
        raise ArtifactError("no such table of measurements", str(path), to_mend(path))
    with pq.ParquetFile(path) as file:  # pq.read_table reads whole data sets, for which it imports pandas (0.5 s)
        found = file.read()
    missing = [name for name in schema.names if name not in found.column_names]
    if missing:
        raise ArtifactError(f"columns {', '.join(missing)} are missing", str(path), to_mend(path))
    return found.select(schema.names)


def rows(table: pa.Table, row: type[Any]) -> list[Any]:
    """Return a table's rows as instances of the dataclass ``row``; further columns are left out."""
    columns = [table.column(item.name).to_pylist() for item in fields(row)]
    return [row(*values) for values in zip(*columns, strict=True)]
