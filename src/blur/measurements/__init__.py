"""Raw measurements of one model: what evaluation writes and metrics read. No metric and no model is known here.

Four Parquet tables per evaluated model: ``likelihood`` (one row per scored text, with one number per token),
``generations`` (one row per prompt), ``gradnorm`` (one row per text) and ``choices`` (one row per multiple-choice
question). Logarithms are natural.
"""

from blur.measurements.measured import Measurements
from blur.measurements.rows import (
    Bools,
    ChoiceRow,
    Floats,
    GenerationRow,
    GradnormRow,
    LikelihoodRow,
    TextScore,
)
from blur.measurements.series import (
    join_epochs,
    join_points,
    read_epochs,
    read_points,
    write_epochs,
    write_points,
)

__all__ = [
    "Bools",
    "ChoiceRow",
    "Floats",
    "GenerationRow",
    "GradnormRow",
    "LikelihoodRow",
    "Measurements",
    "TextScore",
    "join_epochs",
    "join_points",
    "read_epochs",
    "read_points",
    "write_epochs",
    "write_points",
]
