"""By which version of ``blur`` results were made, and what a change of version, settings or code means for them.

Nothing is carried over by a look at records: a key holds a hash of the code, and of a change of code only a run can
tell whether the result is the same. What is made again, and why, is said beforehand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain

from blur import __version__
from blur.config.plan import Plan
from blur.core.files import read_json, write_json
from blur.core.manifest import NAME as MANIFEST
from blur.core.manifest import made
from blur.core.paths import DATA, RESULTS, provenance_file
from blur.workflow.standing import Standing, standing

VERSIONS = "versions.json"
UNKNOWN = "an earlier one"
MOST_EXAMPLES = 3


def note_versions(scale: str) -> None:
    """Write by which version of ``blur`` the results of a scale were made, and how many by each."""
    write_json(provenance_file(scale).with_name(VERSIONS), _counted(scale))


def of_other_versions(plan: Plan) -> str | None:
    """Return, in a line, which results are of another version, and what of them holds no longer; None where none is."""
    note = provenance_file(plan.name).with_name(VERSIONS)
    found = read_json(note) if note.is_file() else _counted(plan.name)
    if found.keys() <= {__version__}:
        return None
    again = _by_stage(one for one in standing(plan) if one.reasons)
    what = f"settings, code or inputs differ, so these run again: {again}" if again else "all of them hold"
    return f"{_made_by(found)}; {what}. `blur migrate --scale {plan.name}` tells more"


def as_text(plan: Plan) -> str:
    """Return what becomes of each kind of result of a plan, and why."""
    jobs, found = standing(plan), _counted(plan.name)
    rows: list[tuple[str, ...]] = [("", "stay", "run again", "follow", "not made")]
    for stage in dict.fromkeys(one.stage.name for one in jobs):
        own = [one for one in jobs if one.stage.name == stage]
        follow, missing = sum(_follows(one) for one in own), sum(not one.is_made for one in own)
        again = sum(bool(one.reasons) for one in own)
        rows.append((stage, *(str(n or "-") for n in (len(own) - again - follow - missing, again, follow, missing))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([_made_by(found), "", *lines, "", *_why(jobs), _sum(plan, jobs)])


def _follows(one: Standing) -> bool:
    return one.is_made and one.follows and not one.reasons


def _counted(scale: str) -> dict[str, int]:
    manifests = chain((DATA / scale).rglob(MANIFEST), (RESULTS / scale).rglob(MANIFEST))
    return dict(Counter(made(path.parent).get("blur", UNKNOWN) for path in manifests))


def _made_by(found: dict[str, int]) -> str:
    told = ", ".join(f"{count} by {version}" for version, count in sorted(found.items()))
    return f"this is blur {__version__}; results were made: {told or 'none yet'}"


def _by_stage(jobs: Iterable[Standing]) -> str:
    counts = Counter(one.stage.name for one in jobs)
    return ", ".join(f"{stage} {count}" for stage, count in sorted(counts.items()))


def _why(jobs: Iterable[Standing]) -> list[str]:
    """Return a line for each stage and reason: how many, and some of them by name."""
    named: dict[tuple[str, str], list[str]] = {}
    for one in jobs:
        for reason in one.reasons:
            named.setdefault((one.stage.name, reason), []).append(one.job.path)
    lines = [
        f"{stage}, {len(paths)}: {reason} ({', '.join(paths[:MOST_EXAMPLES])}{', ...' * (len(paths) > MOST_EXAMPLES)})"
        for (stage, reason), paths in named.items()
    ]
    return [*lines, ""] if lines else []


def _sum(plan: Plan, jobs: Iterable[Standing]) -> str:
    again, follow = sum(bool(one.reasons) for one in jobs), sum(map(_follows, jobs))
    if not again and not follow:
        return "What is made holds: nothing of it runs again."
    return (
        f"`snakemake --config scale={plan.name}` makes {again} results again and starts the {follow} that follow:\n"
        "each whose inputs come out as they were finds its result and ends at once. No result is carried over\n"
        "to another key: what differs may have changed it."
    )
