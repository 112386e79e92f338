"""Scale `rehearsal` beside `paper`: what differs and what is left out. ``python -m tests.rehearsal`` prints both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blur.config.plan import Plan
from blur.config.stages import STAGES

CONFIG = Path(__file__).parents[1] / "config"
DRAWINGS = ("figures", "table", "robustness")  # they name the runs they show, which are fewer


def plans() -> tuple[Plan, Plan]:
    """Return the plans of both scales."""
    return Plan(CONFIG, {"scale": "paper"}), Plan(CONFIG, {"scale": "rehearsal"})


def differences(paper: Plan, rehearsal: Plan) -> dict[str, set[str]]:
    """Return the settings in which jobs of the rehearsal differ from the same jobs of `paper`.

    Returns:
        By stage and key the pairs of values, as text.
    """
    found: dict[str, set[str]] = {}
    for task in rehearsal.tasks:
        for name, stage in ((name, stage) for name, stage in STAGES.items() if name not in DRAWINGS):
            for job in stage.jobs(rehearsal, task):
                there, here = (dict(_flat(stage.settings(plan, job))) for plan in (paper, rehearsal))
                for key in sorted(there.keys() | here.keys()):
                    if there.get(key) != here.get(key):
                        pair = f"{there.get(key)!r} -> {here.get(key)!r}"
                        found.setdefault(f"{name}: {key}", set()).add(pair)
    for key in ("device", "size"):
        found[key] = {" -> ".join(repr(getattr(plan.scale, key)) for plan in (paper, rehearsal))}
    return found


def left_out(paper: Plan, rehearsal: Plan) -> dict[str, list[str]]:
    """Return, by stage, the jobs of `paper` that the rehearsal does not have."""
    missing: dict[str, list[str]] = {}
    for name, stage in STAGES.items():
        here = {job for task in rehearsal.tasks for job in stage.jobs(rehearsal, task)}
        gone = [job.path for task in paper.tasks for job in stage.jobs(paper, task) if job not in here]
        if gone:
            missing[name] = gone
    return missing


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{above}.{key}" if above else str(key))
    else:
        yield above, value


def main() -> None:
    paper, rehearsal = plans()
    print("What differs from scale `paper` in jobs that both have:")
    for key, pairs in differences(paper, rehearsal).items():
        print(f"  {key}: {'; '.join(sorted(pairs))}")
    print("Jobs of scale `paper` that are left out:")
    for stage, jobs in left_out(paper, rehearsal).items():
        print(f"  {stage}, {len(jobs)}: {' '.join(jobs)}")


if __name__ == "__main__":
    main()
