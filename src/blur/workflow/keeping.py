"""What a run of the graph keeps of the results that are there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from blur.core import kept
from blur.core.errors import ArtifactError
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import read
from blur.core.paths import DATA, RESULTS


def keep_planned(jobs: Iterable[Any], forced: bool) -> None:
    """Keep what is whole of the results that the jobs of a run would make, before Snakemake deletes it.

    A job whose inputs come out as they were, or which ended before Snakemake saw it end, then finds its result.

    Args:
        jobs: Snakemake's, those that are to run.
        forced: a person asked for jobs to be made again, so that nothing is kept.
    """
    if forced:
        for directory in (Path(output).parent for job in jobs for output in job.output):
            kept.forget(directory)
        return
    for directory in _of_the_same_key(jobs):
        kept.keep(directory)


def forget_recorded(scale: str) -> None:
    """Drop what is kept of results that lie in their place and are recorded by Snakemake; at the end of a run."""
    for directory in chain(kept.kept(DATA / scale), kept.kept(RESULTS / scale)):
        if not kept.is_awaited(directory) and _is_in_place(directory):
            kept.forget(directory)


def _is_in_place(directory: Path) -> bool:
    """Whether a result lies in its place as it is kept; also true of one that is only kept in part."""
    ours, place = kept.KEPT / directory / MANIFEST, directory / MANIFEST
    return not ours.is_file() or (place.is_file() and place.read_bytes() == ours.read_bytes())


def _of_the_same_key(jobs: Iterable[Any]) -> Iterator[Path]:
    """Yield the directory of each finished result of Snakemake's jobs that has the key of its job."""
    for job in jobs:
        for output in map(Path, job.output):
            if output.name != MANIFEST or not output.is_file():
                continue
            try:
                found = read(output.parent)
            except ArtifactError:  # no result, then; `verify` says so
                continue
            if found["key"] == json.loads(job.params.key):
                yield output.parent
