"""What Snakemake's scheduler is spared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake.scheduling.job_scheduler import JobScheduler

DEFAULT = (100, 1)  # jobs, seconds: `--max-jobs-per-timespan` where nobody gives one


def lift_default_rate(scheduler: JobScheduler) -> None:
    """Lift Snakemake's default limit on jobs per second, which nothing here can reach; one that was asked for stays.

    With a limit, Snakemake 9.27 looks for ready jobs again a second after each look, and after each job that ends: the
    looks a second grow by one with every job, until Snakemake itself fills a core (its issue 2967, pull request 3744).
    """
    limit = scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == DEFAULT:
        scheduler.job_rate_limiter = None
