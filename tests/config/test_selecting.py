"""An epoch's metrics as they are named in YAML: looked up before any job, and read by the runs that name them only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError
from blur.core.fingerprint import closure
from tests.config.refusals import changed, copy_config, look, read_once
from tests.config.reruns import jobs_of, roots_of

__all__ = ["read_once"]  # a fixture
GA_KLR, NPO_GDR = "methods/ga_klr.yaml", "methods/npo_gdr.yaml"
RULE = {"name": "retrained"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_config(tmp_path_factory.mktemp("selecting"))


def keys(plan: Plan) -> dict[Any, str]:
    return {job: STAGES[job[0]].parameter(plan, job[1]) for job in jobs_of(plan)}


def test_a_rule_of_one_method_changes_that_method_s_job_alone(folder: Path) -> None:
    before = keys(Plan(folder, {"scale": "ci"}))
    with changed(folder / GA_KLR, "settings/select", RULE):
        after = keys(Plan(folder, {"scale": "ci"}))
    measured = ("derive", JobName("tofu", Run("tofu", "retrained"), "epoch_measurements", "own"))
    run = ("unlearn", JobName("tofu", Run("tofu", "ga_klr")))
    described = {job for job in before if before[job] != after[job] and job[0] != "unlearn"}
    assert set(after) - set(before) == {measured}
    assert {job for job in before if job[0] == "unlearn" and before[job] != after[job]} == {run}
    assert described <= {("metrics", run[1])}, described


def test_only_who_chooses_by_a_metric_depends_on_its_code(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with changed(folder / GA_KLR, "settings/select", {**RULE, "metrics": ["forget_probability"]}):
        plan = Plan(folder, {"scale": "ci"})
        jobs = [job for job in jobs_of(plan) if job[0] in ("unlearn", "derive") and job[1].task == "tofu"]
        covered = {job: closure(found) for job, found in roots_of(plan, jobs, monkeypatch).items()}
    choosing = {job for job, found in covered.items() if any(name.startswith("blur.metrics") for name in found)}
    assert [job[1].run for job in choosing] == [Run("tofu", "ga_klr")]
    (chosen,) = choosing
    kinds = {name for name in covered[chosen] if name.startswith("blur.metrics.kinds.")}
    assert kinds == {"blur.metrics.kinds.base", "blur.metrics.kinds.probability"}
    measuring = {job[1].derived for job, found in covered.items() if job[0] == "derive" and "blur.measure.run" in found}
    assert measuring == {"epoch_measurements"}


def test_by_default_it_is_all_of_which_less_is_better(folder: Path) -> None:
    with changed(folder / GA_KLR, "settings/select", RULE):
        chosen = look(folder).selecting(Run("tofu", "ga_klr"))
    assert [spec.name for spec in chosen] == [
        "forget_probability",
        "forget_exact_memorization",
        "forget_extraction_strength",
    ]


def test_parts_of_a_metric_are_computed_but_need_not_be_reached(folder: Path) -> None:
    run = Run("rtt", "blur_npo")
    with changed(folder / "methods/blur_npo.yaml", "settings/select", {**RULE, "metrics": ["forget_probability"]}):
        plan = Plan(folder, {"scale": "ci"})
        told = STAGES["unlearn"].settings(plan, JobName("rtt", run))["selecting"]
    assert told["by"] == ["forget_probability"]
    assert len(told["metrics"]) == 6


@pytest.mark.parametrize(
    ("file", "key", "value", "said"),
    [
        (
            GA_KLR,
            "settings/select",
            {**RULE, "metrics": ["forget_probabilty"]},
            r"ga_klr.yaml: settings.select.metrics: no metric of an epoch's end 'forget_probabilty'.*forget_prob",
        ),
        (GA_KLR, "settings/select", {**RULE, "metrics": ["forget_rouge"]}, "select.metrics: no metric of an epoch's"),
        (GA_KLR, "settings/select", {"name": "best"}, r"ga_klr.yaml: settings.*select.name.*last.*retrained"),
        (GA_KLR, "settings/select", {"metrics": ["forget_probability"]}, "means nothing to `last`"),
        (
            "scales/ci.yaml",
            "unlearn/select",
            {"name": "retrained", "epoch": 3},
            r"scales/ci.yaml: unlearn.*'select.epoch'",
        ),
        ("scales/ci.yaml", "train/select", RULE, "plain fine-tuning forgets nothing"),
        ("methods/task_vector.yaml", "settings/select", RULE, "task_vector.yaml.*select"),
    ],
)
def test_what_cannot_be_chosen_by_is_refused_before_any_job(
    folder: Path, file: str, key: str, value: Any, said: str
) -> None:
    with changed(folder / file, key, value), pytest.raises(ConfigError, match=f"(?s){said}"):
        look(folder)


def test_a_metric_that_is_to_match_is_never_passed(folder: Path) -> None:
    with (
        changed(folder / "benchmarks/tofu.yaml", "trajectory/0/direction", "match"),
        changed(folder / GA_KLR, "settings/select", {**RULE, "metrics": ["forget_probability"]}),
        pytest.raises(ConfigError, match=r"select.metrics: 'forget_probability' is better the nearer it is"),
    ):
        look(folder)


def test_a_task_without_a_retrained_model_has_nothing_to_reach(folder: Path) -> None:
    with (
        changed(folder / "tasks/tofu.yaml", "retrained", {"kind": "none"}),
        changed(folder / GA_KLR, "settings/select", RULE),
        pytest.raises(ConfigError, match=r"settings.select: .*needs a retrained model.*'tofu' has none.*tofu.yaml"),
    ):
        look(folder)


def test_a_request_asks_for_something_that_the_retrained_model_knows(folder: Path) -> None:
    with (
        changed(folder / NPO_GDR, "settings/select", RULE),
        pytest.raises(ConfigError, match=r"settings.select: .*own request, not of 's\w+2'.*muse_news/npo_gdr/s\w+2"),
    ):
        look(folder, "muse_news")
