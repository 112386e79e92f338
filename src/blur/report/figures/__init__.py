"""Figures: each module but ``base`` is one, found by its name, with a class ``Figure`` (see ``base.FigureBase``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blur.core.choice import build as build_choice
from blur.core.files import atomic_path, atomic_write_text
from blur.report import style
from blur.report.figures.base import FigureBase
from blur.report.rows import to_csv
from blur.report.runs import Run

# Nothing that changes between two drawings of the same numbers may get into a file.
METADATA = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "png": {"Software": None}}


def build(module: str, options: Mapping[str, Any]) -> FigureBase:
    """Return a figure with its options.

    Raises:
        ValueError: there is no such figure, or an option is wrong, missing or unknown.
    """
    figure = build_choice(__name__, "Figure", {"name": module, **options})
    assert isinstance(figure, FigureBase)
    return figure


def save(figure: FigureBase, runs: Sequence[Run], folder: Path, title: str, stem: str) -> list[Path]:
    """Draw a figure and write it as PDF and PNG, with the rows it is drawn from as CSV.

    Equal rows give equal bytes, whatever the user's matplotlibrc says.

    Args:
        folder: of the three files.
        title: of the task; it heads the figure.
        stem: name of the files.

    Returns:
        The paths of the PDF, the PNG and the CSV.
    """
    rows = figure.data(runs)
    paths = [folder / f"{stem}.{ending}" for ending in ("pdf", "png", "csv")]
    with style.context():
        drawn = figure.draw(rows, runs, title)
        for path, (ending, metadata) in zip(paths, METADATA.items(), strict=False):
            with atomic_path(path) as temporary:
                drawn.savefig(temporary, format=ending, metadata=metadata, dpi=150, bbox_inches="tight")
    atomic_write_text(paths[2], to_csv(rows))
    return paths
