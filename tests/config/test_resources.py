"""What jobs ask of a cluster, by the size of their model."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from blur.config.load import read_yaml
from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName
from blur.core.errors import ConfigError
from blur.planner.catalogue import load_catalogue
from blur.workflow.resources import Needs

UNLEARN = STAGES["unlearn"]
ROOT = Path(__file__).resolve().parents[2]
TASK = "tofu_llama_1b"


def named(wildcards: SimpleNamespace) -> JobName:
    return UNLEARN.job(**vars(wildcards))


def test_each_attempt_asks_for_more() -> None:
    job = SimpleNamespace(task=TASK, method="npo_gdr", variant="default", seed="0")
    asked = Needs(Plan(ROOT / "config", {"scale": "paper"})).of(UNLEARN, named)
    assert [asked["mem_mb"](job, n) for n in (1, 2)] == [32000, 64000]
    assert [asked["runtime"](job, n) for n in (1, 3)] == [240, 720]
    assert asked["gpu"](job) == 1


@pytest.mark.parametrize(
    ("method", "variant", "gpus"), [("npo_gdr", "default", 2), ("npo_gdr", "lora", 1), ("sure_npo_klr", "default", 1)]
)
def test_what_cannot_be_sharded_gets_one_gpu(method: str, variant: str, gpus: int) -> None:
    job = SimpleNamespace(task="muse_news_llama2_7b", method=method, variant=variant, seed="0")
    assert Needs(Plan(ROOT / "config", {"scale": "paper"})).of(UNLEARN, named)["gpu"](job) == gpus


def test_no_gpu_where_the_scale_computes_on_the_cpu() -> None:
    assert Needs(Plan(ROOT / "config", {"scale": "ci"})).need("train", "tofu").gpus == 0


def test_a_model_of_unknown_size_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    file = tmp_path / "config/planner.yaml"
    file.write_text(file.read_text().replace("meta-llama/Llama-3.2-1B-Instruct: &", "another/model: &"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"'meta-llama/Llama-3.2-1B-Instruct'(.|\n)*config/planner.yaml"):
        Needs(Plan(tmp_path / "config", {"scale": "paper"})).need("train", TASK)


@pytest.mark.parametrize("path", sorted((ROOT / "config/models").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_model_fetched_by_name_has_a_size(path: Path) -> None:
    name = read_yaml(path)["model"].get("name_or_path")
    assert name is None or name in load_catalogue(ROOT / "config").architectures


@pytest.mark.parametrize(
    ("kind", "method", "gpus"),
    [
        ("reference_sums", "target", 1),
        ("matched_lambda", "blur_npo", 0),
        ("forget_tuned", "target", 2),
        ("epoch_measurements", "retrained", 1),
    ],
)
def test_what_is_derived_gets_the_gpus_that_it_has_a_use_for(kind: str, method: str, gpus: int) -> None:
    derive = STAGES["derive"]
    job = SimpleNamespace(
        task="muse_news_llama2_7b", method=method, variant="default", seed="0", derived=kind, request="own"
    )
    asked = Needs(Plan(ROOT / "config", {"scale": "paper"})).of(derive, lambda wildcards: derive.job(**vars(wildcards)))
    assert asked["gpu"](job) == gpus


def test_a_scale_can_say_what_its_jobs_ask_for(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    file = tmp_path / "config/scales/mine.yaml"
    file.write_text("title: mine\nextends: paper\nsize: 1b\n")
    asked = Needs(Plan(tmp_path / "config", {"scale": "mine"}))
    asked.check()
    assert asked.need("unlearn", "muse_news_llama2_7b") == asked.need("unlearn", TASK)
    file.write_text("title: mine\nextends: paper\nsize: 1a\n")
    with pytest.raises(ConfigError, match=r"scales/mine\.yaml: size: no size (.|\n)*Did you mean '1b'"):
        Needs(Plan(tmp_path / "config", {"scale": "mine"})).check()
