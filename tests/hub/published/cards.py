"""Cards of datasets: the YAML from which ``datasets`` learns configurations, splits and files; and their files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

Rows = Sequence[Mapping[str, Any]]


def card(configurations: Mapping[str, Mapping[str, str]], default: str | None = None) -> bytes:
    """Return a README.md that names each configuration's splits with their files."""
    told = [
        {
            "config_name": name,
            **({"default": True} if name == default else {}),
            "data_files": [{"split": split, "path": path} for split, path in splits.items()],
        }
        for name, splits in configurations.items()
    ]
    return b"---\n" + yaml.safe_dump({"configs": told}, sort_keys=False).encode() + b"---\n"


def parquet(rows: Rows, schema: pa.Schema | None = None) -> bytes:
    """Return rows as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), buffer)
    return buffer.getvalue()


def lines(rows: Rows) -> bytes:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def in_parquet(tables: Mapping[str, Mapping[str, Rows]]) -> dict[str, bytes]:
    """Return the files of a dataset as ``push_to_hub`` writes it: a folder a configuration, a file a split."""
    files = {
        f"{name}/{split}-00000-of-00001.parquet": parquet(rows)
        for name, splits in tables.items()
        for split, rows in splits.items()
    }
    told = {name: {split: f"{name}/{split}-*" for split in splits} for name, splits in tables.items()}
    return {"README.md": card(told), **files}
