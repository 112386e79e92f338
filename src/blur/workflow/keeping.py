"""What a run of the graph keeps of the results that are there, and what it says of those that it makes again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from blur import __version__
from blur.core import kept
from blur.core.errors import ArtifactError
from blur.core.files import read_json, write_json
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import made, read
from blur.core.paths import DATA, RESULTS, provenance_file

VERSIONS = "versions.json"
UNKNOWN = "an earlier one"


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
    for _, directory, is_same in _results(jobs):
        if is_same:
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


def note_versions(scale: str) -> None:
    """Write by which version of ``blur`` the results of a scale were made, and how many by each."""
    manifests = chain((DATA / scale).rglob(MANIFEST), (RESULTS / scale).rglob(MANIFEST))
    counts = Counter(made(path.parent).get("blur", UNKNOWN) for path in manifests)
    write_json(_versions(scale), dict(counts))


def of_other_versions(scale: str, jobs: Iterable[Any]) -> str | None:
    """Return, in a line, which results are of another version, and what of them runs again; None where none is."""
    found = read_json(_versions(scale)) if _versions(scale).is_file() else {}
    others = ", ".join(f"{count} by {version}" for version, count in sorted(found.items()) if version != __version__)
    changed = [(rule, made(directory)) for rule, directory, is_same in _results(jobs) if not is_same]
    again = Counter(rule for rule, told in changed if told.get("blur") != __version__)
    if not others and not again:
        return None
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(again.items()))
    what = f"settings or code have changed, so these run again: {rules}" if again else "none of them runs again"
    return f"results of another version than blur {__version__}: {others or UNKNOWN}; {what}"


def _results(jobs: Iterable[Any]) -> Iterator[tuple[str, Path, bool]]:
    """Yield (rule, directory, whether its key is the job's) of each finished result of Snakemake's jobs."""
    for job in jobs:
        for output in map(Path, job.output):
            if output.name != MANIFEST or not output.is_file():
                continue
            try:
                found = read(output.parent)
            except ArtifactError:  # no result, then; `verify` says so
                continue
            yield job.rule.name, output.parent, found["key"] == json.loads(job.params.key)


def _versions(scale: str) -> Path:
    return provenance_file(scale).with_name(VERSIONS)
