"""Files that hold metrics: metrics.json and items.parquet of a model, trajectory.json of its epochs. NaN is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blur.core.files import atomic_path, write_json
from blur.metrics.kinds.base import Outcome
from blur.metrics.specs import compute_all

if TYPE_CHECKING:
    from blur.measurements import Measurements

SCHEMA_VERSION = 1
IDENTITY = ("task", "method", "variant", "seed", "scale", "inputs", "settings")


def write_metrics(directory: Path | str, meta: Mapping[str, Any], metrics: Mapping[str, Outcome]) -> list[str]:
    """Write ``metrics.json`` and ``items.parquet`` (set, id, metric, value).

    Args:
        directory: where to.
        meta: exactly the keys of ``IDENTITY``.
        metrics: by name, in the order to be written.

    Returns:
        The names of the files written.

    Raises:
        ValueError: ``meta`` lacks a key or has another one, or holds NaN.
    """
    if set(meta) != set(IDENTITY):
        raise ValueError(f"metrics.json names {', '.join(IDENTITY)}; differing: {set(meta) ^ set(IDENTITY)}")
    record = {
        "schema_version": SCHEMA_VERSION,
        **meta,
        "metrics": {name: metric.value for name, metric in metrics.items()},
        "about": {name: _about(metric) for name, metric in metrics.items()},
    }
    _write_items(Path(directory) / "items.parquet", metrics)
    write_json(Path(directory) / "metrics.json", record)
    return ["items.parquet", "metrics.json"]


def _about(metric: Outcome) -> dict[str, Any]:
    about = {"direction": metric.direction, "n": metric.n, "details": dict(metric.details)}
    return about | ({"reason": metric.reason} if metric.reason else {})


def _write_items(path: Path, metrics: Mapping[str, Outcome]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        (group, item, name, value)
        for name, metric in metrics.items()
        for group, values in metric.items.items()
        for item, value in values.items()
    ]
    kinds = {"set": pa.string(), "id": pa.string(), "metric": pa.string(), "value": pa.float64()}
    columns = {key: pa.array([row[place] for row in rows], kind) for place, (key, kind) in enumerate(kinds.items())}
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def trajectory(
    epochs: Mapping[int, Measurements], specs: Sequence[Mapping[str, Any]], empty_sets: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Return one record per epoch, in rising order: ``epoch`` and the value (or None) of every metric of ``specs``."""
    records = []
    for epoch in sorted(epochs):
        metrics = compute_all(specs, epochs[epoch], {}, empty_sets=empty_sets)
        records.append({"epoch": epoch, **{name: metric.value for name, metric in metrics.items()}})
    return records


def write_trajectory(directory: Path | str, epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write ``trajectory.json``; ``ValueError`` on NaN. Returns the names of the files written."""
    write_json(Path(directory) / "trajectory.json", {"schema_version": SCHEMA_VERSION, "epochs": list(epochs)})
    return ["trajectory.json"]
