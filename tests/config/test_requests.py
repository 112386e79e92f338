"""Requests: variants of every method that forget something else, one after another where they say so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from blur.config.drawn import drawn, figure_runs
from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped configuration with a task that asks for the last of a sequence only."""
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))
    path = folder / "scales/ci.yaml"
    scale = yaml.safe_load(path.read_text())
    runs = [{"methods": ["npo_gdr"], "variants": ["sust3", "scal2"], "seeds": [4]}]
    scale["tasks"]["muse_news"] = {**scale["tasks"].get("muse_news", {}), "runs": runs}
    path.write_text(yaml.safe_dump(scale))
    return folder


def run(variant: str) -> Run:
    return Run("muse_news", "npo_gdr", variant, 4)


def test_a_sequence_is_run_from_its_first_request(folder: Path) -> None:
    plan = Plan(folder, {"scale": "ci"})
    assert plan.runs("muse_news") == tuple(map(run, ("scal2", "default", "sust2", "sust3")))
    target = plan.task("muse_news").target
    starts = [plan.start(run(variant)) for variant in ("default", "scal2", "sust2", "sust3")]
    assert starts == [target, target, run("default"), run("sust2")]


def test_a_request_changes_what_is_forgotten_and_nothing_else(folder: Path) -> None:
    plan = Plan(folder, {"scale": "ci"})
    assert plan.streams(run("default"))["forget"] == {"": ["forget"]}
    assert plan.streams(run("sust2"))["forget"] == {"": ["sust_forget_2"]}
    assert plan.streams(run("sust2"))["retain"] == plan.streams(run("default"))["retain"]
    assert plan.method_settings(run("sust2")) == plan.method_settings(run("default"))


def test_the_reference_of_a_request_is_the_model_it_starts_from(folder: Path) -> None:
    plan = Plan(folder, {"scale": "ci"})
    target = plan.task("muse_news").target

    def sums(model: Run, request: str) -> JobName:
        return JobName("muse_news", model, "reference_sums", request)

    for asking, job in (
        ("default", sums(target, "own")),
        ("scal2", sums(target, "scal2")),
        ("sust3", sums(run("sust2"), "sust3")),
    ):
        assert plan.derived(run(asking)) == {"reference_sums": job}
        assert job in STAGES["derive"].jobs(plan, "muse_news") or asking == "sust3"
    read = STAGES["derive"].settings(plan, sums(run("sust2"), "sust3"))["streams"]
    assert read == {"forget": {"": ["sust_forget_3"]}}
    with pytest.raises(ConfigError, match="no request 'sust9'"):
        STAGES["derive"].key(plan, sums(run("sust2"), "sust9"))


def test_a_figure_of_requests_is_drawn_where_one_is_run() -> None:
    plan = Plan(ROOT / "config", {"scale": "ci"})
    assert [task for task in ("tofu", "muse_news", "muse_books") if "requests" in drawn(plan, task)] == ["muse_news"]
    small = Plan(ROOT / "config", {"scale": "small"})
    assert "requests" in drawn(small, "tofu")
    read = {run.variant for run in figure_runs(small, "tofu", "requests")[0]}
    assert read == {"default", "sust1", "sust2", "sust3", "sust4"}


def test_topics_are_streams_within_the_stream() -> None:
    plan = Plan(ROOT / "config", {"scale": "paper"})
    streams = plan.streams(Run("wmdp_zephyr_7b", "rmu"))
    assert streams["forget"] == {"bio": ["bio_forget"], "cyber": ["cyber_forget"]}
    assert streams["retain"] == {"": ["retain"]}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ({"a": {"forget": ["x"], "after": "b"}}, "'a' comes after 'b', which is none of"),
        ({"a": {"forget": ["x"], "after": "a"}}, "'a' comes after itself"),
        ({"a": {"forget": ["x"], "after": "b"}, "b": {"forget": ["x"], "after": "a"}}, "'a' comes after itself"),
    ],
)
def test_a_request_follows_a_known_one_and_not_itself(folder: Path, requests: dict, message: str) -> None:
    path = folder / "benchmarks/muse.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "requests": requests}))
    with pytest.raises(ConfigError, match=message):
        Plan(folder, {"scale": "ci"}).task("muse_news")


def test_the_order_of_requests_has_no_meaning(folder: Path) -> None:
    path = folder / "benchmarks/muse.yaml"
    benchmark = yaml.safe_load(path.read_text())
    before = _runs_and_keys(folder)
    turned = {**benchmark, "requests": dict(reversed(benchmark["requests"].items()))}
    path.write_text(yaml.safe_dump(turned, sort_keys=False))
    assert _runs_and_keys(folder) == before


def _runs_and_keys(folder: Path) -> tuple[set[Run], str, list[str]]:
    plan = Plan(folder, {"scale": "ci"})
    runs = plan.runs("muse_news")
    return (
        set(runs),
        STAGES["table"].parameter(plan, JobName("muse_news")),
        [str(plan.start(run)) for run in sorted(runs)],
    )


def test_a_variant_named_like_a_request_is_refused(folder: Path) -> None:
    path = folder / "methods/npo_gdr.yaml"
    method = yaml.safe_load(path.read_text())
    method["variants"]["sust2"] = {"combine": {"lam": 2.0}}
    path.write_text(yaml.safe_dump(method))
    with pytest.raises(ConfigError, match="'sust2' is also a request"):
        Plan(folder, {"scale": "ci"}).runs("muse_news")
