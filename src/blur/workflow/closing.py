"""The end of a run of the graph, good or bad: records are exported, versions noted, and what it spent is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from blur.core.errors import as_told
from blur.workflow.keeping import forget_recorded
from blur.workflow.records import export_provenance
from blur.workflow.useful import sum_up
from blur.workflow.versions import note_versions


def close(scale: str, warm: Callable[[], float]) -> None:
    """Do all of it; where one thing cannot be (the disk is full), say so, and let Snakemake tell how the run ended.

    Args:
        warm: tells the processor seconds of the run's warm process.
    """
    for act in (export_provenance, forget_recorded, note_versions, partial(sum_up, warm=warm)):
        try:
            act(scale)
        except OSError as error:
            print(f"blur: {as_told(error)}", file=sys.stderr)
