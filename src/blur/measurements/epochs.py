"""Measurements of several epochs, in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from blur.measurements import series
from blur.measurements.measured import Measurements

EPOCH = pa.field("epoch", pa.int32())


def write_epochs(directory: Path | str, epochs: Mapping[int, Measurements]) -> list[str]:
    """Write what was measured at each epoch's end (0 = before training); return the names of the files."""
    return series.write(Path(directory), EPOCH, dict(sorted(epochs.items())))


def join_epochs(parts: Sequence[Path], directory: Path | str) -> list[str]:
    """Write the epochs of several directories, given in rising order, into one; return the names of the files."""
    return series.join(parts, Path(directory), EPOCH)


def read_epochs(directory: Path | str) -> dict[int, Measurements]:
    """Read what ``write_epochs`` wrote: measurements by epoch, in rising order."""
    return dict(sorted(series.read(Path(directory), EPOCH).items()))
