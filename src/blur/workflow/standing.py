"""Whether the results of a plan still hold, told by their manifests: whatever Snakemake has recorded, or has not.

A result holds if its settings, its code and its inputs are those that its job has now, and if all its files are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from blur.config.plan import Plan
from blur.config.stages import STAGES, Stage
from blur.config.task import JobName
from blur.core.errors import ArtifactError
from blur.core.hashing import sha256_file
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import read

MOST_NAMES = 3
_NOTHING = object()


@dataclass(frozen=True)
class Standing:
    """Where a job stands.

    Attributes:
        stage, job: that it is.
        reasons: why its result, which is there, holds no longer; none where it does.
        is_made: whether there is a result.
        follows: it reads what is made again, so that it runs again too; a result that holds then ends it at once.
    """

    stage: Stage
    job: JobName
    reasons: tuple[str, ...] = ()
    is_made: bool = True
    follows: bool = False

    @property
    def runs(self) -> bool:
        """Whether Snakemake plans the job."""
        return bool(self.reasons) or self.follows or not self.is_made


def standing(plan: Plan) -> list[Standing]:
    """Return where every job of a plan's tasks stands."""
    jobs = [(stage, job) for task in plan.tasks for stage in STAGES.values() for job in stage.jobs(plan, task)]
    found = [_of_itself(plan, stage, job) for stage, job in jobs]
    reads = [set(stage.inputs(plan, job).values()) for stage, job in jobs]
    makes = [{result.directory for result in stage.results(plan, job)} for stage, job in jobs]
    again = {folder for one, folders in zip(found, makes, strict=True) for folder in folders if one.runs}
    while more := [place for place, one in enumerate(found) if not one.runs and reads[place] & again]:
        for place in more:
            found[place] = replace(found[place], follows=True)
            again |= makes[place]
    return found


def _of_itself(plan: Plan, stage: Stage, job: JobName) -> Standing:
    folders = [result.directory for result in stage.results(plan, job)]
    try:
        manifests = [read(folder) for folder in folders]
    except ArtifactError:
        return Standing(stage, job, is_made=False)
    key, inputs = stage.key(plan, job), stage.inputs(plan, job)
    faults = [
        *(reason for found in manifests for reason in _changes(found["key"], key)),
        *(fault for folder, found in zip(folders, manifests, strict=True) if (fault := unfit(folder, found, inputs))),
    ]
    return Standing(stage, job, tuple(dict.fromkeys(faults)))


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Say in what a result's key differs from the one its job has now."""
    before, after = _flat(was.get("settings")), _flat(now["settings"])
    names = sorted(
        name for name in before.keys() | after.keys() if before.get(name, _NOTHING) != after.get(name, _NOTHING)
    )
    if names:
        yield f"settings differ: {_first(names)}"
    if was.get("code") != now["code"]:
        yield "code differs"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of nested settings by their dotted paths; a list is a leaf."""
    if not isinstance(value, dict) or not value:
        return {name: value}
    inner = (_flat(part, f"{name}.{key}" if name else str(key)) for key, part in value.items())
    return {path: leaf for one in inner for path, leaf in one.items()}


def unfit(folder: Path, found: Mapping[str, Any], inputs: Mapping[str, Path]) -> str | None:
    """Return why a result is none of its job's, whatever its key: a file is missing, or it was made of other inputs.

    Args:
        found: its manifest.
        inputs: the folders that the job reads, by role; one that has no manifest is made first, and then it is seen.
    """
    for name in found["files"]:
        path = os.path.normpath(folder / name)
        if not os.path.isfile(path):
            return f"a file is missing: {path}"
    was = found.get("inputs", {})
    others = sorted(role for role in was.keys() | inputs.keys() if _differs(was.get(role), inputs.get(role)))
    return f"made of other inputs: {_first(others)}" if others else None


def _differs(was: str | None, folder: Path | None) -> bool:
    """Whether an input is another than it was; not of one that is there no longer: it is made first."""
    manifest = folder / MANIFEST if folder else None
    if was is None or manifest is None:
        return True
    try:
        return _hash(manifest, manifest.stat().st_mtime_ns) != was
    except FileNotFoundError:
        return False


@cache
def _hash(manifest: Path, _changed_ns: int) -> str:
    """Return the hash of a manifest, which many jobs read."""
    return sha256_file(manifest)


def _first(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"
