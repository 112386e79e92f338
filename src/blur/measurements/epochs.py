"""Measurements of several epochs, in a folder ``epochs``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from blur.measurements import series
from blur.measurements.measured import Measurements

FOLDER = "epochs"
EPOCH = pa.field("epoch", pa.int32())


def write_epochs(directory: Path | str, epochs: Mapping[int, Measurements]) -> list[str]:
    """Write what was measured at each epoch's end (0 = before training); return file names within ``directory``."""
    files = series.write(Path(directory) / FOLDER, EPOCH, dict(sorted(epochs.items())))
    return [f"{FOLDER}/{name}" for name in files]


def read_epochs(directory: Path | str) -> dict[int, Measurements]:
    """Read what ``write_epochs`` wrote: measurements by epoch, in rising order."""
    return dict(sorted(series.read(Path(directory) / FOLDER, EPOCH).items()))
