"""Every job of a plan with the modules that its fingerprint starts from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES, base
from blur.config.task import JobName

Job = tuple[str, JobName]


def jobs_of(plan: Plan) -> Iterator[Job]:
    for task in plan.tasks:
        yield from ((name, job) for name, stage in STAGES.items() for job in stage.jobs(plan, task))


def roots_of(plan: Plan, jobs: Iterable[Job], monkeypatch: pytest.MonkeyPatch) -> dict[Job, tuple[str, ...]]:
    """The modules that each job's key names."""
    named: list[Sequence[str]] = []
    with monkeypatch.context() as patched:
        patched.setattr(base, "fingerprint", lambda roots: named.append(roots) or "")
        found = {}
        for stage, job in jobs:
            STAGES[stage].key(plan, job)
            found[stage, job] = tuple(named[-1])
    return found
