"""The end of a run of the graph, good or bad: its records are exported, and what it spent is kept."""

from __future__ import annotations

import sys

from blur.core.errors import as_told
from blur.workflow.records import export_provenance
from blur.workflow.useful import sum_up


def close(scale: str) -> None:
    """Do both; where one cannot be (the disk is full), say so, and let Snakemake tell how the run ended."""
    for act in (export_provenance, sum_up):
        try:
            act(scale)
        except OSError as error:
            print(f"blur: {as_told(error)}", file=sys.stderr)
