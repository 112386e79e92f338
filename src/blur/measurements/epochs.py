"""Measurements of several epochs, in a folder ``epochs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from blur.measurements import series
from blur.measurements.measured import Measurements

FOLDER = "epochs"
EPOCH = pa.field("epoch", pa.int32())


def write_epochs(directory: Path | str, epochs: Mapping[int, Measurements]) -> list[str]:
    """Write what was measured at each epoch's end (0 = before training); return file names within ``directory``."""
    return _within(series.write(Path(directory) / FOLDER, EPOCH, dict(sorted(epochs.items()))))


def join_epochs(parts: Sequence[Path], directory: Path | str) -> list[str]:
    """Write the epochs of several directories, given in rising order, into one; return file names within it."""
    return _within(series.join([part / FOLDER for part in parts], Path(directory) / FOLDER, EPOCH))


def read_epochs(directory: Path | str) -> dict[int, Measurements]:
    """Read what ``write_epochs`` wrote: measurements by epoch, in rising order."""
    return dict(sorted(series.read(Path(directory) / FOLDER, EPOCH).items()))


def _within(names: Sequence[str]) -> list[str]:
    return [f"{FOLDER}/{name}" for name in names]
