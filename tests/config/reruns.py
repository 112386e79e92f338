"""Every job of a plan with the modules that its fingerprint starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from blur.config import keys
from blur.config.plan import Plan
from blur.config.task import Run

Job = tuple[str, tuple[Any, ...]]  # a stage, and what its key is made from besides the plan


def jobs_of(plan: Plan) -> Iterator[Job]:
    for task in plan.tasks:
        runs, evaluated, attacks = plan.runs(task), plan.evaluated(task), plan.attacks.pairs(task)
        trained = [run for run in evaluated if run not in runs]
        yield from ((stage, (task,)) for stage in ("data", "table", "robustness"))
        yield from (("figure", (task, figure)) for figure in keys.drawn(plan, task))
        yield "base", (Run(task, "base"),)
        yield from (("train", (run,)) for run in trained)
        yield from ((stage, (trained[0],)) for stage in ("reference_sums", "matched_lambda"))
        yield from (("unlearn", (run,)) for run in runs)
        yield from ((stage, (run,)) for run in evaluated for stage in ("evaluate", "metrics"))
        yield from ((stage, pair) for pair in attacks for stage in ("attack", "attack_metrics"))


def roots_of(plan: Plan, jobs: Iterator[Job], monkeypatch: pytest.MonkeyPatch) -> dict[Job, tuple[str, ...]]:
    """The modules that each job's key names."""
    named: list[Sequence[str]] = []
    with monkeypatch.context() as patched:
        patched.setattr(keys, "fingerprint", lambda roots: named.append(roots) or "")
        found = {}
        for stage, names in jobs:
            getattr(keys, f"{stage}_key")(plan, *names)
            found[stage, names] = tuple(named[-1])
    return found
