"""Scale `rehearsal` is `paper`, but for weights and their type, device, steps, amounts and what a job asks for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from tests.rehearsal import differences, ending, left_out, plans, ran

PAPER, REHEARSAL = plans()
# What the rehearsal may change: how long a training is, how much is read, and on what and at what cost it runs.
CHANGED = {
    "data: data.source.questions_per_author",
    "train: dtype",
    "unlearn: unlearn.epochs",
    "unlearn: unlearn.steps",
    "attack: attack.at",
    "device",
    "size",
}
HEADLINE = {"graddiff", "npo_gdr", "simnpo", "rmu", "blur_npo", "blur_rmu"}


def test_what_both_run_differs_in_steps_amount_type_device_and_size_alone() -> None:
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
    assert 100 <= slurm <= 120


LOG = """\
Finished jobid: 1 (Rule: data)
Job 3 has been submitted with SLURM jobid 17 (log: .snakemake/slurm_logs/rule_unlearn/a/17.log).
Job 4 has been submitted with SLURM jobid 18 (log: .snakemake/slurm_logs/rule_unlearn/b/18.log).
Finished jobid: 3 (Rule: unlearn)
"""


def test_jobs_that_ended_are_counted_and_those_through_slurm(tmp_path: Path) -> None:
    before, log = tmp_path / "a.snakemake.log", tmp_path / "b.snakemake.log"
    for path in (before, log):
        path.write_text(LOG)
    os.utime(before, (5, 5))
    os.utime(log, (20, 20))
    ended, through = ran(10, tmp_path)
    assert ended == {"data": 1, "unlearn": 1}
    assert +through == {"unlearn": 1}


def test_a_rehearsal_that_made_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = ending(PAPER, REHEARSAL, 0, tmp_path)
    assert "0 rules, 0 jobs, 0 of them through SLURM; 0 of " in told
    assert "\n0 methods: \n" in told
    assert "  unlearn, 36: tofu_llama_1b/ga/default/seed0 " in told
    assert "\nLeft out of scale `paper`, as was told: 10 derive, " in told


def test_one_task_stays_in_the_type_that_paper_computes_in() -> None:
    types = {task: (REHEARSAL.task(task).model.dtype, PAPER.task(task).model.dtype) for task in PAPER.tasks}
    assert {task for task, (here, there) in types.items() if here == there} == {"tofu_llama2_7b_chat"}
