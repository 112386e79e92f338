"""Snakemake's limit on jobs per second, as it is by default and as it was asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from snakemake.cli import get_argument_parser
from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import MaxJobsPerTimespan

from blur.workflow.scheduling import lift_default_rate


def scheduler(limit: str | None) -> SimpleNamespace:
    return SimpleNamespace(job_rate_limiter=limit and JobRateLimiter(MaxJobsPerTimespan.parse_choice(limit)))


def test_the_default_of_the_installed_snakemake_is_lifted() -> None:
    default = scheduler(get_argument_parser().get_default("max_jobs_per_timespan"))
    assert default.job_rate_limiter is not None
    lift_default_rate(default)
    assert default.job_rate_limiter is None


@pytest.mark.parametrize("limit", ["5/1s", "100/1m"])
def test_a_limit_that_was_asked_for_stays(limit: str) -> None:
    asked = scheduler(limit)
    before = asked.job_rate_limiter
    lift_default_rate(asked)
    assert asked.job_rate_limiter is before


def test_without_a_limit_there_is_nothing_to_do() -> None:
    free = scheduler(None)
    lift_default_rate(free)
    assert free.job_rate_limiter is None
