"""Measurements at the points of an attack, by the point's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from blur.measurements import series
from blur.measurements.measured import Measurements

POINT = pa.field("point", pa.string())


def write_points(directory: Path | str, points: Mapping[str, Measurements]) -> list[str]:
    """Write the points in the order given; return file names within ``directory``."""
    return series.write(Path(directory), POINT, points)


def join_points(parts: Sequence[Path], directory: Path | str) -> list[str]:
    """Write the points of several directories, in the order given, into one; return file names within it."""
    return series.join(parts, Path(directory), POINT)


def read_points(directory: Path | str) -> dict[str, Measurements]:
    """Read what ``write_points`` wrote."""
    return series.read(Path(directory), POINT)
