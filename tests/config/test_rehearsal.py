"""Scale `rehearsal` is `paper`, but for the weights behind the names, device, steps and what a job asks for."""

from __future__ import annotations

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from tests.rehearsal import differences, left_out, plans

PAPER, REHEARSAL = plans()
# What the rehearsal may change: how long a training is, and on what and at what cost it runs.
CHANGED = {"unlearn: unlearn.epochs", "unlearn: unlearn.steps", "attack: attack.at", "device", "size"}
HEADLINE = {"graddiff", "npo_gdr", "simnpo", "rmu", "blur_npo", "blur_rmu"}


def test_what_both_run_differs_in_steps_device_and_size_alone() -> None:
    assert differences(PAPER, REHEARSAL).keys() == CHANGED


def test_the_rehearsal_has_no_job_of_its_own() -> None:
    for name, stage in STAGES.items():
        there, here = ({job for task in plan.tasks for job in stage.jobs(plan, task)} for plan in (PAPER, REHEARSAL))
        assert here <= there, name


def test_every_method_stage_attack_figure_and_table_is_rehearsed() -> None:
    def of(plan: Plan, stage: str, part: str) -> set[str]:
        jobs = [job for task in plan.tasks for job in STAGES[stage].jobs(plan, task)]
        return {str(getattr(job.run if part == "method" else job, part)) for job in jobs}

    for stage, part in (("unlearn", "method"), ("attack", "attack"), ("figures", "figure"), ("derive", "derived")):
        assert of(REHEARSAL, stage, part) == of(PAPER, stage, part), (stage, part)
    assert set(REHEARSAL.tasks) == set(PAPER.tasks)


@pytest.mark.parametrize("benchmark", ["tofu", "muse", "wmdp"])
def test_the_headline_methods_are_rehearsed_on_every_benchmark(benchmark: str) -> None:
    tasks = [task for task in REHEARSAL.tasks if REHEARSAL.task(task).config.benchmark == benchmark]
    assert {run.method for task in tasks for run in REHEARSAL.runs(task)} >= HEADLINE


def test_what_is_left_out_are_seeds_variants_and_doubles() -> None:
    gone = left_out(PAPER, REHEARSAL)
    assert set(gone) == {
        "derive",
        "unlearn",
        "evaluate",
        "metrics",
        "attack",
        "attack_metrics",
        "figures",
        "robustness",
    }
    slurm = sum(
        len(list(stage.jobs(REHEARSAL, task)))
        for task in REHEARSAL.tasks
        for stage in STAGES.values()
        if stage.resources
    )
    assert 100 <= slurm <= 150
