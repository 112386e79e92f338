"""Which results still hold, what Snakemake's records are made to say of them, what is told of another version."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.plan import Plan
from blur.config.stages import STAGES, Stage
from blur.config.task import JobName
from blur.core import kept, manifest
from blur.core.files import read_json, write_json
from blur.core.hashing import canonical_json
from blur.stages.job import hashes
from blur.workflow import records, versions
from blur.workflow.costs import costs
from blur.workflow.standing import Standing, standing
from tests.workflow import tiny_graph

BASE, TARGET = Path("results/tiny/models/own/base/default/seed0"), Path("results/tiny/models/own/target/default/seed0")
NPO = Path("results/tiny/models/own/npo_gdr/default/seed0")
OF_NPO = {"unlearn own/npo_gdr/default/seed0", "evaluate own/npo_gdr/default/seed0"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a manifest of every job of the tiny graph, and no more of its results than a file."""
    root = tiny_graph.make(tmp_path_factory.mktemp("whole") / "checkout").root
    with contextlib.chdir(root):
        plan = Plan("config", {"scale": "tiny"})
        pending = [(stage, job) for stage in STAGES.values() for job in stage.jobs(plan, "own")]
        while pending:
            pending = [(stage, job) for stage, job in pending if not make(plan, stage, job)]
    return root


def make(plan: Plan, stage: Stage, job: JobName) -> bool:
    """Make a job's results, if its inputs are there."""
    inputs = stage.inputs(plan, job)
    if not all((folder / "manifest.json").is_file() for folder in inputs.values()):
        return False
    for result in stage.results(plan, job):
        result.directory.mkdir(parents=True)
        (result.directory / "file").write_text(f"{stage.name} {job.path}")
        manifest.write(result.directory, stage.name, stage.key(plan, job), ["file"], inputs=hashes(inputs))
    return True


@pytest.fixture
def plan(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    shutil.copytree(whole, tmp_path / "checkout", symlinks=True)
    monkeypatch.chdir(tmp_path / "checkout")
    return Plan("config", {"scale": "tiny"})


def with_epochs(plan: Plan, epochs: int) -> Plan:
    """The plan after an edit of the scale's file: every method that trains takes another time."""
    file = Path("config/scales/tiny.yaml")
    content = yaml.safe_load(file.read_text())
    content["unlearn"]["epochs"] = epochs
    file.write_text(yaml.safe_dump(content))
    return Plan("config", {"scale": "tiny"})


def changed(folder: Path, **changes: Any) -> None:
    content = read_json(folder / "manifest.json")
    write_json(folder / "manifest.json", {**content, **changes})


def with_key(folder: Path, settings: dict[str, Any] | None = None, **changes: Any) -> None:
    key = read_json(folder / "manifest.json")["key"]
    changed(folder, key={**key, "settings": {**key["settings"], **(settings or {})}, **changes})


def named(jobs: list[Standing]) -> set[str]:
    return {f"{one.stage.name} {one.job.path}" for one in jobs}


def again(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {f"{one.stage.name} {one.job.path}": one.reasons for one in standing(plan) if one.reasons}


def follow(plan: Plan) -> set[str]:
    return named([one for one in standing(plan) if one.follows and not one.reasons])


def test_what_is_as_its_job_would_make_it_holds(plan: Plan) -> None:
    assert len(standing(plan)) > 20
    assert named([one for one in standing(plan) if one.runs or not one.is_made]) == set()


def test_other_settings_and_other_code_are_told_by_their_keys(plan: Plan) -> None:
    runs = ("unlearn own/npo_gdr/default/seed0", "unlearn own/blur_npo/lora/seed0")
    assert again(with_epochs(plan, 3)) == dict.fromkeys(runs, ("settings differ: unlearn.epochs",))
    with_key(NPO, {"streams": {}, "left": 1}, code="another")
    own = again(plan)["unlearn own/npo_gdr/default/seed0"]
    assert own == ("settings differ: left, streams, streams.forget. and 1 more", "code differs")


def test_what_reads_what_runs_again_follows_it(plan: Plan) -> None:
    plan = with_epochs(plan, 3)
    runs = ("npo_gdr/default", "blur_npo/lora")
    of_runs = {f"{stage} own/{run}/seed0" for stage in ("evaluate", "metrics") for run in runs}
    attacked = {f"{stage} own/npo_gdr/default/seed0/quantization" for stage in ("attack", "attack_metrics")}
    assert follow(plan) == of_runs | attacked | {"figures own/tradeoff", "table own", "robustness own"}


def test_a_file_that_is_missing_is_seen_whatever_its_name(plan: Plan) -> None:
    (NPO / "file").unlink()
    assert again(plan) == {"unlearn own/npo_gdr/default/seed0": (f"a file is missing: {NPO}/file",)}


def test_a_result_of_other_inputs_holds_no_longer(plan: Plan) -> None:
    changed(TARGET, note="made again, and another")
    told = again(plan)
    assert told["unlearn own/blur_npo/lora/seed0"] == ("made of other inputs: start",)
    assert told["evaluate own/target/default/seed0"] == ("made of other inputs: model",)
    assert "derive reference_sums/own/own/target/default/seed0" in told
    assert not [name for name in told if name.startswith("train ")], "the retrained model is made of none of it"


def test_an_input_that_is_to_be_made_first_is_no_other_input(plan: Plan) -> None:
    (TARGET / "manifest.json").unlink()
    assert again(plan) == {}
    assert named([one for one in standing(plan) if not one.is_made]) == {"train own/target/default/seed0"}
    assert follow(plan) >= OF_NPO


def record(output: Path) -> dict[str, Any]:
    return read_json(kept.record_path(records.METADATA, str(output)))


def params(folder: Path) -> list[str]:
    return [repr(canonical_json(read_json(folder / "manifest.json")["key"]))]


def test_what_was_typed_by_hand_gets_a_record_of_the_key_that_it_ran_with(plan: Plan) -> None:
    with_key(NPO, code="another")
    records.record_manifests(plan)
    for name in ("manifest.json", "model.safetensors"):  # Snakemake looks at every output
        assert record(NPO / name)["params"] == params(NPO)
    start = {str(TARGET / "manifest.json"): f"sha256:{hashes({'start': TARGET})['start']}"}  # as Snakemake writes it
    assert start.items() <= record(NPO / "manifest.json")["input_checksums"].items()


def test_a_record_says_what_the_manifest_says_and_else_stays_as_it_is(plan: Plan) -> None:
    for output in (NPO / "manifest.json", TARGET / "manifest.json"):
        records.write_record(str(output), {"rule": "some", "params": params(output.parent), "code": "c"})
    with_key(NPO, code="typed with other code")
    records.record_manifests(plan)
    assert record(TARGET / "manifest.json") == {"rule": "some", "params": params(TARGET), "code": "c"}
    assert record(NPO / "manifest.json")["params"] == params(NPO)
    assert record(NPO / "manifest.json")["code"] == "c"


def test_a_result_that_is_not_whole_is_recorded_as_made_with_no_key_until_it_is_whole(plan: Plan) -> None:
    (NPO / "file").rename("aside")
    records.record_manifests(plan)
    assert record(NPO / "manifest.json")["params"] == []
    Path("aside").rename(NPO / "file")
    records.record_manifests(plan)
    assert record(NPO / "manifest.json")["params"] == params(NPO)


def test_what_snakemake_makes_just_now_is_left_to_it(plan: Plan) -> None:
    mark = kept.record_path(kept.INCOMPLETE, str(NPO / "manifest.json"))
    mark.parent.mkdir(parents=True)
    mark.touch()
    records.record_manifests(plan)
    assert not kept.record_path(records.METADATA, str(NPO / "manifest.json")).exists()
    assert record(TARGET / "manifest.json")["params"] == params(TARGET)


def test_a_half_written_record_is_written_anew(plan: Plan) -> None:
    path = kept.record_path(records.METADATA, str(NPO / "manifest.json"))
    path.parent.mkdir(parents=True)
    path.write_text('{"rule": ')
    records.record_manifests(plan)
    assert record(NPO / "manifest.json")["params"] == params(NPO)


def test_what_snakemake_did_not_see_run_travels_and_has_no_cost(plan: Plan) -> None:
    records.record_manifests(plan)
    assert records.export_provenance("tiny") > 20
    assert costs("tiny") == ({}, 0.0)


def of_version(version: str, *folders: Path) -> None:
    for folder in folders:
        write_json(folder / "made.json", {"blur": version})


def test_results_of_another_version_are_told_with_what_of_them_runs_again(plan: Plan) -> None:
    versions.note_versions("tiny")
    total = read_json("results/tiny/provenance/versions.json")[versions.__version__]
    edited = with_epochs(plan, 3)
    assert versions.of_other_versions(edited) is None, "they are of this version"
    of_version("0.0.9", NPO, TARGET)
    versions.note_versions("tiny")
    now, more = versions.__version__, "`blur migrate --scale tiny` tells more"
    said = f"this is blur {now}; results were made: 2 by 0.0.9, {total - 2} by {now}; "
    what = "settings, code or inputs differ, so these run again: unlearn 2"
    assert versions.of_other_versions(edited) == f"{said}{what}. {more}"
    assert versions.of_other_versions(plan) == f"{said}all of them hold. {more}"


def test_results_from_before_there_was_a_note_are_told(plan: Plan) -> None:
    (NPO / "made.json").unlink()
    assert "1 by an earlier one" in str(versions.of_other_versions(plan))


def test_each_kind_of_result_is_told_and_why_it_does_not_stay(plan: Plan) -> None:
    assert versions.as_text(plan).endswith("What is made holds: nothing of it runs again.")
    (TARGET / "file").unlink()
    (BASE / "manifest.json").unlink()
    told = versions.as_text(with_epochs(plan, 3))
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines()[2:] if line}
    assert rows["data"] == ["1", "-", "-", "-"]
    assert rows["base"] == ["-", "-", "-", "1"]
    assert rows["train"] == ["-", "1", "1", "-"]
    assert rows["unlearn"] == ["-", "2", "1", "-"]
    reason = "settings differ: unlearn.epochs"
    assert f"unlearn, 2: {reason} (own/npo_gdr/default/seed0, own/blur_npo/lora/seed0)" in told
    assert f"train, 1: a file is missing: {TARGET}/file (own/target/default/seed0)" in told
    assert "makes 3 results again" in told


def test_a_key_is_compared_in_snakemake_s_own_words(plan: Plan) -> None:
    stage, job = STAGES["data"], next(iter(STAGES["data"].jobs(plan, "own")))
    records.record_manifests(plan)
    recorded = record(Path("data/tiny/own/manifest.json"))["params"]
    assert recorded == [repr(stage.parameter(plan, job))]
    assert records.recorded_key({"params": recorded}) == json.loads(stage.parameter(plan, job))
