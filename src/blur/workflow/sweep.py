"""Reading a sweep: which variant of each method keeps most utility for what it forgets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from blur.config.plan import Plan
from blur.config.schema import Judges
from blur.core.errors import ArtifactError
from blur.core.paths import phase_dir
from blur.report.runs import Run, read_runs

COLUMNS = ("method", "variant", "seeds", "forget", "utility", "score", "best")


@dataclass(frozen=True)
class Judged:
    """What the seeds of a (method, variant) are worth: what a benchmark is judged by, and the score of both."""

    runs: tuple[Run, ...]
    forget: float | None
    utility: float | None
    score: float


def sweep(plan: Plan, task: str) -> list[dict[str, object]]:
    """Return one row per (method, variant), the best of each method marked.

    Forgetting and utility are what the benchmark is ``judged_by``. The score is the mean of two shares, each between 0
    and 1: utility kept, ``min(1, u / u_target)``, and forgetting reached, ``1 - r`` with
    ``r = clip((f - f_retrained) / (f_target - f_retrained), 0, 1)``. Going below the retrained model earns nothing.

    Raises:
        ArtifactError: a run of the sweep is not done, or the task has no retrained model.
    """
    resolved = plan.task(task)
    if resolved.retrained is None:
        raise ArtifactError("a sweep is judged against a retrained model, and there is none", f"task {task}")
    runs = read_runs(phase_dir("metrics", plan.name, run.path) for run in plan.evaluated(task))
    found = judged(runs, resolved.benchmark.judged_by)
    rows = [_row(*key, one) for key, one in found.items() if not one.runs[0].is_reference]
    for method in {row["method"] for row in rows}:
        own = [row for row in rows if row["method"] == method]
        max(own, key=lambda row: float(str(row["score"])))["best"] = True
    return rows


def as_csv(rows: list[dict[str, object]]) -> str:
    """Return the rows as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def judged(runs: Sequence[Run], judges: Judges) -> dict[tuple[str, str], Judged]:
    """Return what each (method, variant) is worth, its seeds together; empty where there is no retrained model.

    Raises:
        ArtifactError: the target knows the forget set no better than the retrained model.
    """
    references = {run.method: run for run in runs if run.is_reference}
    if not {"target", "retrained"} <= references.keys():
        return {}
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.method, run.variant), []).append(run)
    return {key: _judged(group, references["target"], references["retrained"], judges) for key, group in groups.items()}


def _judged(runs: Sequence[Run], target: Run, retrained: Run, judges: Judges) -> Judged:
    forget = _mean([run.value(name) for run in runs for name in judges.forget])
    utility = _mean([run.value(judges.utility) for run in runs])
    return Judged(tuple(runs), forget, utility, score(forget, utility, target, retrained, judges))


def _row(method: str, variant: str, found: Judged) -> dict[str, object]:
    return {
        "method": method,
        "variant": variant,
        "seeds": len(found.runs),
        "forget": None if found.forget is None else round(found.forget, 4),
        "utility": None if found.utility is None else round(found.utility, 4),
        "score": round(found.score, 4),
        "best": False,
    }


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, or None where one of the values is not defined."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def score(forget: float | None, utility: float | None, target: Run, retrained: Run, judges: Judges) -> float:
    """Return the score of ``sweep``; 0 where forgetting or utility is not defined (the model has collapsed)."""
    if forget is None or utility is None:
        return 0.0
    high, low = (_mean([run.value(name) for name in judges.forget]) for run in (target, retrained))
    best = target.value(judges.utility)
    if high is None or low is None or not best or high <= low:
        raise ArtifactError("the target knows the forget set no better than the retrained model", str(target.directory))
    left = min(max((forget - low) / (high - low), 0.0), 1.0)
    return (min(1.0, utility / best) + 1 - left) / 2
