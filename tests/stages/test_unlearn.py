"""What an unlearning run reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core import manifest as manifests
from blur.core.errors import ArtifactError, DataError
from blur.core.files import write_json
from blur.stages import sets, unlearn
from blur.stages.job import Job, hashes
from blur.unlearn.settings import UnlearnSettings

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_a_request_without_records_is_named_with_its_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "read_sets", lambda data, sets: [])
    settings = {"streams": {"forget": {"": ["request_2"]}, "retain": {}}, "max_length": 8, "texts": "documents"}
    job: Any = SimpleNamespace(data=Path("data/ci/tofu"), settings=settings, run=Run("tofu", "ga", "sust2"))
    with pytest.raises(DataError, match=r"data/ci/tofu: request_2: there are no records.*tofu/ga/sust2/seed0 out of"):
        unlearn._streams(job, None, UnlearnSettings(forget=[{"loss": "ga"}], epochs=1), {})  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", ["another model", "other settings", None])
def test_what_was_derived_otherwise_is_refused_before_any_step(
    fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reference sums of a model that was trained again since, say: NPO would start elsewhere."""
    monkeypatch.chdir(tmp_path)
    plan, run = Plan(CONFIG, {"scale": "ci"}), Run("tofu", "npo_gdr")
    (name,) = plan.derived(run).values()
    stage = STAGES["derive"]
    for folder in stage.inputs(plan, name).values():
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text('{"key": {}, "files": {}}')
    job = Job(plan, STAGES["unlearn"], JobName("tofu", run), {})
    folder, inputs = job.inputs["reference_sums"], hashes(stage.inputs(plan, name))
    folder.mkdir(parents=True)
    write_json(folder / "reference_sums.json", {"a": 1.5})
    settings = stage.settings(plan, name) | (
        {"streams": {"forget": {"": ["retain"]}}} if fault == "other settings" else {}
    )
    made_of = inputs | ({"model": "0"} if fault == "another model" else {})
    manifests.write(folder, "derive", {"settings": settings, "code": ""}, ["reference_sums.json"], {}, inputs=made_of)
    if fault is None:
        assert unlearn._derived(job) == {"reference_sums": {"a": 1.5}}
        return
    with pytest.raises(
        ArtifactError, match=r"made of another model.*`blur derive reference_sums --task tofu --method target"
    ) as caught:
        unlearn._derived(job)
    assert "reference_sums" in str(caught.value.where)
