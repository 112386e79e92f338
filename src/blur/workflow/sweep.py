"""Reading a sweep: which variant of each method keeps most utility for what it forgets."""

from __future__ import annotations

import csv
import io
from statistics import fmean

from blur.config.plan import Plan
from blur.core.errors import ArtifactError
from blur.core.paths import phase_dir
from blur.report.runs import Run, read_runs

COLUMNS = ("method", "variant", "seeds", "forget_probability", "model_utility", "score", "best")


def sweep(plan: Plan, task: str) -> list[dict[str, object]]:
    """Return one row per (method, variant), the best of each method marked.

    The score is the mean of two shares, each between 0 and 1: utility kept, ``min(1, MU / MU of the target)``, and
    forgetting reached, ``1 - r`` with ``r = clip((p - p_retrained) / (p_target - p_retrained), 0, 1)`` of the forget
    probability ``p``. Going below the retrained model earns nothing.

    Raises:
        ArtifactError: a run of the sweep is not done, or the task has no retrained model.
    """
    resolved = plan.task(task)
    if resolved.retrained is None:
        raise ArtifactError("a sweep is judged against a retrained model, and there is none", f"task {task}")
    folders = [phase_dir("metrics", plan.name, run.path) for run in plan.evaluated(task)]
    runs = read_runs(folders)
    target, retrained = (next(run for run in runs if run.method == name) for name in ("target", "retrained"))
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if not run.is_reference:
            groups.setdefault((run.method, run.variant), []).append(run)
    rows = [_row(*key, members, target, retrained) for key, members in groups.items()]
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


def _row(method: str, variant: str, runs: list[Run], target: Run, retrained: Run) -> dict[str, object]:
    forget, utility = (_mean([run.value(name) for run in runs]) for name in ("forget_probability", "model_utility"))
    return {
        "method": method,
        "variant": variant,
        "seeds": len(runs),
        "forget_probability": None if forget is None else round(forget, 4),
        "model_utility": None if utility is None else round(utility, 4),
        "score": round(score(forget, utility, target, retrained), 4),
        "best": False,
    }


def _mean(values: list[float | None]) -> float | None:
    """Return the mean, or None where one of the values is not defined."""
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def score(forget: float | None, utility: float | None, target: Run, retrained: Run) -> float:
    """Return the score of ``sweep``; 0 where forget probability or utility is not defined (the model has collapsed)."""
    if forget is None or utility is None:
        return 0.0
    high, low, best = (
        target.value("forget_probability"),
        retrained.value("forget_probability"),
        target.value("model_utility"),
    )
    if high is None or low is None or not best or high <= low:
        raise ArtifactError("the target knows the forget set no better than the retrained model", str(target.directory))
    left = min(max((forget - low) / (high - low), 0.0), 1.0)
    return (min(1.0, utility / best) + 1 - left) / 2
