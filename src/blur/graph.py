"""The graph for a Snakefile: where ours is, what surrounds the jobs of a run, and a small workflow that uses it.

Snakemake runs the handlers of the main Snakefile only. One that uses ours as a module calls ``Running`` in its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blur.config.plan import Plan
from blur.core.files import remove_litter
from blur.core.paths import DATA, RESULTS
from blur.core.shipped import SHIPPED
from blur.warm.client import spent
from blur.warm.offer import offer
from blur.workflow.closing import close
from blur.workflow.keeping import keep_planned
from blur.workflow.resume import mark_running
from blur.workflow.scheduling import lift_default_rate
from blur.workflow.useful import count

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

SNAKEFILE = str(SHIPPED / "Snakefile")


@dataclass(frozen=True)
class Running:
    """A run of the graph.

    Attributes:
        config: Snakemake's configuration.
    """

    config: Mapping[str, Any]

    @property
    def plan(self) -> Plan:
        """What is run."""
        return Plan(overrides=self.config)

    def begin(self, workflow: Workflow) -> None:
        """Do what comes before the first job."""
        plan = self.plan
        mark_running()
        lift_default_rate(workflow.scheduler)
        for folder in (DATA / plan.name, RESULTS / plan.name):
            remove_litter(folder)
        keep_planned(workflow.dag.needrun_jobs(), _is_forced(workflow.dag_settings))
        count(plan.name, workflow.local_exec)
        offer(workflow.local_exec and plan.main.workers == "warm" and plan.scale.device == "cpu")

    def end(self) -> None:
        """Do what comes after the last job, or after a failed one."""
        close(self.plan.name, spent)


def _is_forced(asked: Any) -> bool:
    """Whether a person asked Snakemake to make results again that are there."""
    return bool(asked.forceall or asked.forcerun or asked.forcetargets)
