"""Check every stored result against its manifest, and drop the manifests of those that fail."""

from __future__ import annotations

from pathlib import Path

from blur.core import manifest as manifests
from blur.core.errors import ArtifactError
from blur.core.paths import DATA, RESULTS
from blur.workflow.records import read_records, recorded_key


def verify(scale: str) -> list[str]:
    """Remove the manifest of each directory that is not what its manifest says, so that its producer is planned.

    A directory fails if a file is missing or changed, or if the job was planned with other settings or code than
    those it ran with.

    Returns:
        What was wrong, one line for each manifest removed.
    """
    planned = dict(read_records())
    problems = []
    for path in sorted([*(RESULTS / scale).rglob(manifests.NAME), *(DATA / scale).rglob(manifests.NAME)]):
        problem = _problem(path, planned.get(str(path)))
        if problem:
            path.unlink()
            problems.append(problem)
    return problems


def _problem(path: Path, record: dict | None) -> str | None:
    try:
        content = manifests.read(path.parent)
        manifests.check_files(path.parent, content)
    except ArtifactError as error:
        return f"{error.where}: {error.what}"
    except (ValueError, KeyError, TypeError):
        return f"{path}: not a readable manifest"
    if record and recorded_key(record) not in (None, content["key"]):
        return f"{path}: ran with other settings or code than it was planned with"
    return None
