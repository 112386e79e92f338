"""Snakemake's limit on jobs per second, as it is by default and as it was asked for."""

from __future__ import annotations

import pytest
from snakemake.cli import get_argument_parser
from snakemake.settings.types import MaxJobsPerTimespan, SchedulingSettings

from blur.workflow.scheduling import lift_default_rate


def settings(limit: str) -> SchedulingSettings:
    return SchedulingSettings(max_jobs_per_timespan=MaxJobsPerTimespan.parse_choice(limit))


def test_the_default_of_the_installed_snakemake_is_lifted() -> None:
    default = settings(get_argument_parser().get_default("max_jobs_per_timespan"))
    assert default.max_jobs_per_timespan is not None
    lift_default_rate(default)
    assert default.max_jobs_per_timespan is None


@pytest.mark.parametrize("limit", ["5/1s", "100/1m"])
def test_a_limit_that_was_asked_for_stays(limit: str) -> None:
    asked = settings(limit)
    before = asked.max_jobs_per_timespan
    lift_default_rate(asked)
    assert asked.max_jobs_per_timespan is before


def test_without_a_scheduler_there_is_nothing_to_do() -> None:
    lift_default_rate(None)
