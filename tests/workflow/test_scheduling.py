"""Snakemake itself costs the same for each job, however many are done."""

from __future__ import annotations

import sys

import pytest

from tests.workflow.conftest import SCALE, Workspace

pytestmark = pytest.mark.workflow
WITHOUT_TIMERS = """
import sys
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler

def refuse(scheduler, delay):
    raise AssertionError("a timer was started")

JobScheduler._schedule_reevalutation = refuse
main(sys.argv[1:])
"""


def test_no_look_for_ready_jobs_is_timed(copied: Workspace) -> None:
    manifest = f"data/{SCALE}/rtt/manifest.json"
    (copied.root / manifest).unlink()
    copied.run(sys.executable, "-c", WITHOUT_TIMERS, manifest, "--cores", "1", "--config", f"scale={SCALE}")
    assert (copied.root / manifest).is_file()
