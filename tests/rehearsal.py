"""Scale `rehearsal` beside `paper`.

python -m tests.rehearsal              what differs, and what is left out
python -m tests.rehearsal ended SINCE  what ran after this second of the epoch, and what did not
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blur.config.plan import Plan
from blur.config.stages import STAGES

CONFIG = Path(__file__).parents[1] / "config"
LOGS = Path(".snakemake/log")
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


def ran(since: float, logs: Path = LOGS) -> tuple[Counter[str], Counter[str]]:
    """Return the jobs that Snakemake saw end, and of these those that went through SLURM, by rule.

    Args:
        since: seconds of the epoch; a log that ended before is not read.
        logs: where Snakemake keeps its logs.
    """
    ended, through = Counter[str](), Counter[str]()
    for log in (path for path in logs.glob("*.snakemake.log") if path.stat().st_mtime >= since):
        text = log.read_text(encoding="utf-8")
        submitted = set(re.findall(r"^Job (\d+) has been submitted with SLURM jobid", text, re.MULTILINE))
        for number, rule in re.findall(r"^Finished jobid: (\d+) \(Rule: (\w+)\)", text, re.MULTILINE):
            ended[rule] += 1
            through[rule] += number in submitted
    return ended, through


def ending(paper: Plan, rehearsal: Plan, since: float, logs: Path = LOGS) -> str:
    """Return what a rehearsal that began at ``since`` came to: rules, jobs, methods, what did not run, minutes."""
    ended, through = ran(since, logs)
    jobs = [
        (stage, job) for task in rehearsal.tasks for stage in STAGES.values() for job in stage.jobs(rehearsal, task)
    ]
    made = {
        (stage, job)
        for stage, job in jobs
        if all(path.is_file() for result in stage.results(rehearsal, job) for path in result.paths)
    }
    missing: dict[str, list[str]] = {}
    for stage, job in jobs:
        if (stage, job) not in made:
            missing.setdefault(stage.name, []).append(job.path)
    methods = sorted({job.run.method for stage, job in made if stage.name == "unlearn"})
    attacks = {attack for task in paper.tasks for _, attack in paper.attacks.pairs(task)}
    return "\n".join(
        [
            f"{'rule':<24}{'jobs':>6}{'by SLURM':>10}",
            *(f"{rule:<24}{number:>6}{through[rule]:>10}" for rule, number in sorted(ended.items())),
            f"{len(ended)} rules, {ended.total()} jobs, {through.total()} of them through SLURM; "
            f"{len(made)} of {len(jobs)} jobs' results are here",
            *_told("Not here", missing),
            f"{len(methods)} methods: {' '.join(methods)}",
            "Left out of scale `paper`, as was told: "
            + ", ".join(f"{len(names)} {stage}" for stage, names in left_out(paper, rehearsal).items()),
            f"No benchmark of scale `paper` has: {' '.join(sorted({*paper.attacks.names} - attacks))}",
            f"{(time.time() - since) / 60:.1f} minutes",
        ]
    )


def _told(what: str, jobs: Mapping[str, list[str]]) -> list[str]:
    """Return jobs by stage, a line each."""
    return (
        [f"{what}:", *(f"  {stage}, {len(names)}: {' '.join(names)}" for stage, names in jobs.items())] if jobs else []
    )


def _flat(value: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{above}.{key}" if above else str(key))
    else:
        yield above, value


def main() -> None:
    paper, rehearsal = plans()
    if sys.argv[1:]:
        print(ending(paper, rehearsal, float(sys.argv[2])))
        return
    print("What differs from scale `paper` in jobs that both have:")
    for key, pairs in differences(paper, rehearsal).items():
        print(f"  {key}: {'; '.join(sorted(pairs))}")
    print(*_told("Jobs of scale `paper` that are left out", left_out(paper, rehearsal)), sep="\n")


if __name__ == "__main__":
    main()
