"""Streams by name: what a benchmark has, what a method asks for, and a run over four of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core import manifest
from blur.core.errors import ConfigError, DataError
from blur.data.dataset import write_dataset
from blur.data.records import Record
from blur.models import Template, build_from_config, train_tokenizer
from blur.models.io import LoadedModel
from blur.planner.catalogue import catalogue_of
from blur.planner.inputs import _require_alternates
from blur.planner.memory import Layout
from blur.planner.workplace import Workplace
from blur.stages import unlearn
from blur.unlearn.loop import train
from tests import tiny
from tests.config.refusals import changed, copy_config, look, read_once
from tests.unlearn.support import loss, value

__all__ = ["read_once"]  # a fixture
BENCH, CI, METHOD = "benchmarks/tofu.yaml", "scales/ci.yaml", "methods/surgery.yaml"
# LLM Surgery's four terms (arXiv 2409.13054): forget, what is edited as it was, as it is to be, what is kept.
SURGERY = """
title: Surgery
family: surgery
source: "LLM Surgery, arXiv 2409.13054"
settings:
  forget:
    - {stream: forget, loss: ga, weight: 0.1}
    - {stream: edit_old, loss: ga, weight: 0.1}
  retain:
    - {stream: edit_new, loss: nll, weight: 2.0}
    - {stream: general, loss: kl, weight: 0.5}
  combine: {name: weighted, lam: 1.0}
"""
STREAMS = {"edit_old": ["request_4"], "edit_new": {"a": ["holdout"], "b": ["request_2", "request_3"]}}
STREAMS |= {"general": ["general"], "unasked": ["real_authors"]}
RUN = Run("tofu", "surgery")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with four streams more in a benchmark, and a method that asks for three of them and forget."""
    folder = copy_config(tmp_path_factory.mktemp("streams"))
    (folder / METHOD).write_text(SURGERY)
    for file, key, said in ((BENCH, "training/streams", STREAMS), (CI, "runs/0/methods", ["surgery", "npo_gdr"])):
        with changed(folder / file, key, said):
            content = (folder / file).read_bytes()
        (folder / file).write_bytes(content)
    return folder


def test_a_run_reads_the_streams_that_its_method_asks_for(folder: Path) -> None:
    plan = look(folder)
    key = STAGES["unlearn"].settings(plan, JobName("tofu", RUN))["streams"]
    assert sorted(key) == ["edit_new", "edit_old", "forget", "general", "retain"]
    assert key["edit_new"] == {"a": ["holdout"], "b": ["request_2", "request_3"]}
    # forget and retain are in every key, as ever; further ones only where they are asked for
    assert sorted(STAGES["unlearn"].settings(plan, JobName("tofu", Run("tofu", "npo_gdr")))["streams"]) == [
        "forget",
        "retain",
    ]
    before = STAGES["unlearn"].parameter(plan, JobName("tofu", RUN))
    with changed(folder / BENCH, "training/streams/unasked", ["world_facts"]):
        assert STAGES["unlearn"].parameter(Plan(folder, {"scale": "ci"}), JobName("tofu", RUN)) == before


def test_a_request_changes_what_is_forgotten_and_no_other_stream(folder: Path) -> None:
    plan = Plan(folder, {"scale": "ci"})
    own, later = plan.streams(RUN), plan.streams(Run("tofu", "surgery", "sust2"))
    assert later == {**own, "forget": {"": ["request_2"]}}


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        (
            METHOD,
            "settings/forget/1/stream",
            "edit_odl",
            r"surgery.yaml: settings.forget.stream: no stream 'edit_odl'.*'edit_old'",
        ),
        (METHOD, "settings/retain/1/stream", "generals", r"surgery.yaml: settings.retain.stream: .*mean 'general'"),
        (METHOD, "settings/forget/1/loss", "npo", r"surgery.yaml: settings.forget: npo reads .*, not 'edit_old'"),
        (METHOD, "settings/forget/0/loss", {"name": "dpo"}, r"surgery.yaml: .*'forget.0.loss.alternates' is missing"),
        (
            METHOD,
            "settings/forget/0/loss",
            {"name": "dpo", "alternates": "refusal"},
            r"surgery.yaml: settings.forget.loss.alternates: no alternates 'refusal'. Did you mean 'refusals'",
        ),
        (BENCH, "training/streams/general", ["genral"], r"tofu.yaml: training.streams.general: no set 'genral'"),
        (BENCH, "training/streams/general", [], r"tofu.yaml: key 'training.streams.general'"),
        (
            BENCH,
            "training/streams/retain",
            ["retain"],
            r"tofu.yaml: .*`streams` has 'retain', which is a key beside it",
        ),
        (BENCH, "training/general", ["general"], r"tofu.yaml: unknown key 'training.general'"),
        (BENCH, "training/alternates", ["refusal"], r"tofu.yaml: .*no 'refusal'.*mean 'refusals'"),
        (BENCH, "training/alternates", ["refusals", "refusals"], r"tofu.yaml: .*one kind twice: refusals, refusals"),
        (
            CI,
            "train/retain",
            [{"loss": {"name": "dpo", "alternates": "refusals"}}],
            r"ci.yaml: train.retain.*no alternates",
        ),
    ],
)
def test_what_a_benchmark_has_not_is_refused_by_file_and_key(
    folder: Path, file: str, key: str, value: Any, message: str
) -> None:
    with changed(folder / file, key, value), pytest.raises(ConfigError, match=message):
        look(folder)


def test_alternates_that_a_text_lacks_are_told_before_any_job(folder: Path) -> None:
    dpo = {"name": "dpo", "alternates": "records"}
    sets = {"forget": [Record({"id": "a", "question": "Who?", "answer": "Ann."}, "forget10.jsonl, line 7")]}
    with (
        changed(folder / METHOD, "settings/forget/0/loss", dpo),
        changed(folder / BENCH, "training/alternates", ["records"]),
    ):
        plan = Plan(folder, {"scale": "ci"})
        with pytest.raises(DataError, match=r'forget10.jsonl, line 7: no "alternate", which a loss compares'):
            _require_alternates(plan, "tofu", sets)
        sets["forget"][0]["alternate"] = ["Bob."]
        _require_alternates(plan, "tofu", sets)


def test_the_planner_counts_the_same_streams(folder: Path) -> None:
    plan = Plan(folder, {"scale": "ci"})
    place = Workplace.of(plan, catalogue_of(plan), "tofu")
    settings, found = place.unlearning(RUN)
    assert sorted(found) == sorted(plan.streams(RUN))
    assert [len(found[name].topics) for name in ("edit_old", "edit_new")] == [1, 2]
    assert sorted(place.job(settings, found, Layout()).tokens) == sorted(settings.streams)


def test_four_streams_from_the_plan_through_the_stage_to_the_loop(folder: Path, tmp_path: Path) -> None:
    """Each stream reaches the term that names it: the first step's losses are those of its own texts."""
    plan = Plan(folder, {"scale": "ci"})
    settings = plan.method_settings(RUN).model_copy(update={"epochs": None, "steps": 2, "batch_size": 3})
    names = ("forget", "retain", "request_4", "holdout", "request_2", "request_3", "general")
    sets = {
        name: [{"id": f"{name}-{n}", "question": f"{name} {n}?", "answer": "abc"[: 1 + n]} for n in range(3)]
        for name in names
    }
    manifest.write(tmp_path, "data", {"settings": {}, "code": ""}, write_dataset(tmp_path, sets))
    tokenizer = train_tokenizer([record["question"] for records in sets.values() for record in records], 300)
    model, original = (build_from_config(tiny.ARCHITECTURES["gpt2"], tokenizer, seed=0) for _ in range(2))
    job: Any = SimpleNamespace(data=tmp_path, settings=STAGES["unlearn"].settings(plan, JobName("tofu", RUN)), run=RUN)
    streams = unlearn._streams(job, LoadedModel(model, tokenizer, Template()), settings, {})
    assert {name: sorted({text.id[:-2] for text in texts}) for name, texts in streams.items()} == {
        "forget": ["forget"],
        "edit_old": ["request_4"],
        "edit_new": ["holdout", "request_2", "request_3"],
        "general": ["general"],
    }
    first, second = train(model, streams, settings, reference_model=original).records
    taught = [text for text in streams["edit_new"] if text.topic == "a"]  # topics take their turns
    ascents = [value(loss("ga"), original, streams[name]).item() for name in ("forget", "edit_old")]
    assert first["forget_loss"] == pytest.approx(0.1 * sum(ascents), rel=1e-5)
    assert first["retain_loss"] == pytest.approx(2 * value(loss("nll"), original, taught).item(), rel=1e-5)
    assert second["step"] == 2
