"""Every method of config/methods on the models of scale `ci`: two updates, or one edit, with what is derived for it."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError
from blur.core.files import read_json
from blur.models.io import load
from blur.stages.job import Job
from blur.unlearn.settings import UnlearnSettings

CONFIG = Path(__file__).parents[2] / "config"
METHODS = sorted(path.stem for path in (CONFIG / "methods").glob("*.yaml"))
SHORT = {"epochs": None, "steps": 2}
QUICK = {"number": 1, "max_new_tokens": 4}
NOTHING = {"likelihood": [], "generation": [], "gradnorm": [], "harness": []}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """Scale `ci` with trainings of two updates, and nothing measured between them; its folder is the working one."""
    root = tmp_path_factory.mktemp("methods")
    shutil.copytree(CONFIG, root / "config")
    scale = root / "config/scales/two.yaml"
    ci = yaml.safe_load((CONFIG / "scales/ci.yaml").read_text(encoding="utf-8"))
    names = [*ci["all"], "muse_books", "editing", "lume"]  # the streams of `editing` no other benchmark has
    tasks = {name: {"train": SHORT, "unlearn": SHORT, "epochs": NOTHING} for name in names}
    few = {"num_forget": 2, "num_edited": 2, "num_retain": 10, "questions_per_author": 2}
    small = {"model": "llama-tiny", "runs": [{"methods": ["ga"], "seeds": [0]}]}
    tasks["editing"] |= {**small, "data": {"source": few}}
    tasks["lume"] |= small
    quick = {"sampled_answers": QUICK, "own_answers": {"max_new_tokens": 4}}
    said = {"title": "two", "extends": "ci", "all": names, "tasks": tasks, "derived": quick}
    scale.write_text(yaml.safe_dump(said), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield Plan("config", {"scale": "two", "tracking": "off"})


@cache
def made(plan: Plan, stage: str, name: JobName) -> Path:
    """The folder of a job, after the jobs that it reads from."""
    if stage == "unlearn":
        assert name.run is not None
        made(plan, "train", JobName(name.task, plan.start(name.run)))
        for derived in plan.derived(name.run).values():
            source = derived.run
            assert source is not None
            made(plan, "unlearn" if source.method in plan.methods else "train", JobName(name.task, source))
            made(plan, "derive", derived)
    elif stage == "derive":
        for asked in plan.asked(name).values():
            made(plan, "derive", asked)
    elif stage == "train":
        made(plan, "base", JobName(name.task, Run(name.task, "base")))
    elif stage == "base":
        made(plan, "data", JobName(name.task))
    job = Job(plan, STAGES[stage], name, STAGES[stage].key(plan, name))
    import_module(f"blur.stages.{stage}").run(job)
    return job.directory


def fitting(plan: Plan, method: str) -> Run:
    """The method on the first task that has what it asks for."""
    for task in plan.tasks:
        try:
            plan.method_settings(Run(task, method))
        except ConfigError as error:
            reason = error
        else:
            return Run(task, method)
    raise reason


@cache
def said(folder: Path) -> Tensor:
    """Logits of a stored model, as the loader gives it, at a text that is any."""
    model = load(folder).model
    with torch.no_grad():
        return model(input_ids=torch.arange(1, 25)[None]).logits


@pytest.mark.parametrize("method", METHODS)
def test_two_updates(plan: Plan, method: str) -> None:
    check(plan, fitting(plan, method))


def check(plan: Plan, run: Run) -> None:
    """Two updates are made, as planned, and they make another model."""
    folder = made(plan, "unlearn", JobName(run.task, run))
    before, after = said(made(plan, "train", JobName(run.task, plan.start(run)))), said(folder)
    assert after.isfinite().all()
    assert not torch.equal(after, before), "another model than the one it started from"
    settings = plan.method_settings(run)
    if not isinstance(settings, UnlearnSettings):
        return
    records = [json.loads(line) for line in (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(records) == read_json(folder / "manifest.json")["training"]["steps"] == 2
    for side in ("forget", "retain"):
        losses = [record[f"{side}_loss"] for record in records]
        assert all(map(math.isfinite, losses)) if getattr(settings, side) else losses == [None, None]


HEADLINE = ("graddiff", "npo_gdr", "simnpo", "rmu", "blur_npo", "blur_rmu")
BENCHMARKS = ("tofu", "muse_news", "muse_books", "wmdp", "rtt", "editing", "lume")


@pytest.mark.parametrize("task", BENCHMARKS)
def test_the_study_has_the_headline_methods_on_every_benchmark(task: str) -> None:
    study = Plan(CONFIG, {"scale": "study"})
    assert task in study.scale.all
    assert set(HEADLINE) <= {run.method for run in study.runs(task) if run.variant == "default"}


@pytest.mark.long
@pytest.mark.parametrize("method", HEADLINE)
@pytest.mark.parametrize("task", BENCHMARKS)
def test_two_updates_of_a_headline_method_on_every_benchmark(plan: Plan, task: str, method: str) -> None:
    check(plan, Run(task, method))
