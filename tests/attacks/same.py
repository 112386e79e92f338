from __future__ import annotations

from typing import Any

import numpy as np

from blur.measurements import Measurements


def plain(measured: Measurements) -> list[Any]:
    """All rows as plain values, so that they can be compared."""
    return [
        [np.asarray(value).tolist() for value in vars(row).values()] for rows in measured.rows.values() for row in rows
    ]
