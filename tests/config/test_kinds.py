"""A method trains or edits; both answer the same questions, and what they ask for is planned."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError
from blur.edits.base import EditSettings

ROOT = Path(__file__).resolve().parents[2]
RUN = Run("muse_news", "task_vector", "default", 3)
ASKED = ("streams", "derived", "wrapper", "sharded", "modules", "given", "seed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "config", tmp_path / "config"))


def plan(folder: Path = ROOT / "config") -> Plan:
    return Plan(folder, {"scale": "small"})


def test_both_kinds_answer_what_a_method_is_asked() -> None:
    for run in (RUN, Run("muse_news", "blur_npo")):
        settings = plan().method_settings(run)
        assert all(hasattr(settings, name) for name in ASKED)
    assert isinstance(plan().method_settings(RUN), EditSettings)
    assert plan().method_settings(RUN).seed == 3


def test_the_model_that_is_tuned_on_the_forget_set_is_a_job_and_an_input() -> None:
    """Of the model that the run starts from, whatever the run's own seed."""
    tuned = JobName("muse_news", Run("muse_news", "target"), "forget_tuned", "own")
    assert plan().derived(RUN) == {"forget_tuned": tuned}
    assert tuned in STAGES["derive"].jobs(plan(), "muse_news")
    assert STAGES["derive"].is_sharded(plan(), tuned)
    unlearn = JobName("muse_news", RUN)
    folder = STAGES["derive"].results(plan(), tuned)[0].directory
    assert STAGES["unlearn"].inputs(plan(), unlearn)["forget_tuned"] == folder
    assert not STAGES["unlearn"].is_sharded(plan(), unlearn)
    settings = STAGES["derive"].settings(plan(), tuned)
    assert settings["streams"] == {"forget": {"": ["forget"]}}
    assert settings["derived"]["optimizer"]["lr"] == 1e-3, "the scale's, not that of a 7B model"


def test_settings_of_training_say_nothing_to_an_edit(folder: Path) -> None:
    """The scale's epochs and rates are of the training loop."""
    file = folder / "methods/task_vector.yaml"
    content = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**content, "settings": {**content["settings"], "epochs": 3}}))
    with pytest.raises(ConfigError, match=r"task_vector.yaml: settings: unknown key 'epochs'"):
        plan(folder).method_settings(RUN)
    file.write_text(yaml.safe_dump({**content, "kind": "trian"}))
    with pytest.raises(ConfigError, match=r"task_vector.yaml: key 'kind': .*'train' or 'edit'"):
        plan(folder).method("task_vector")
    file.write_text(yaml.safe_dump({**content, "settings": {"edit": "task_vectr"}}))
    with pytest.raises(ConfigError, match="did you mean 'task_vector'"):
        plan(folder).method_settings(RUN)
