"""What each benchmark's YAML asks of figures and tables can be drawn from what it measures."""

import inspect
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName
from blur.report.robustness_table import save
from blur.report.settings import TableSettings

ROOT = Path(__file__).parents[2]
BENCHMARKS = {
    path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / "config/benchmarks").glob("*.yaml")
}
METRIC_KEYS = ("forget", "utility", "metrics")


def asked(options: dict[str, Any]) -> set[str]:
    """Metrics that a figure's options name."""
    found = [options[key] for key in METRIC_KEYS if key in options] + [list(options.get("chance", {}))]
    return {name for value in found for name in ([value] if isinstance(value, str) else value)}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Scale `study`, and a task for each benchmark that has none: those of a person's own texts."""
    config = Path(shutil.copytree(ROOT / "config", tmp_path_factory.mktemp("benchmarks") / "config"))
    own = {f"own_{name}": name for name in ("documents", "questions")}
    for task, name in own.items():
        said = {"title": name, "benchmark": name, "model": "llama-tiny"}
        said["data"] = {"source": {"kind": "local", "path": "."}}
        (config / f"tasks/{task}.yaml").write_text(yaml.safe_dump(said), "utf-8")
    study = yaml.safe_load((config / "scales/study.yaml").read_text("utf-8"))
    said = {"title": "all", "extends": "study", "all": [*study["all"], *own], "tasks": {task: {} for task in own}}
    (config / "scales/every.yaml").write_text(yaml.safe_dump(said), "utf-8")
    return Plan(config, {"scale": "every"})


@pytest.mark.parametrize("name", BENCHMARKS)
def test_figures_have_their_options_captions_and_metrics(name: str, plan: Plan) -> None:
    benchmark = BENCHMARKS[name]
    task = next(task for task in plan.tasks if plan.task(task).config.benchmark == name)
    for figure in benchmark["figures"]:
        chosen = plan.figure(task, figure)
        options = chosen.model_dump(exclude_none=True)
        key = "trajectory" if chosen.name == "trajectories" else "metrics"
        assert asked(options) <= {spec["name"] for spec in benchmark[key]}, figure
        assert (ROOT / f"workflow/report/{figure}.rst").is_file(), figure


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_table_has_its_options_and_metrics(name: str) -> None:
    benchmark = BENCHMARKS[name]
    given = {"utility": benchmark["judged_by"]["utility"], "requests": list(benchmark.get("requests", {}))}
    settings = TableSettings(**(given | benchmark["table"]))
    known = {spec["name"] for spec in benchmark["metrics"]}
    assert {column.partition(".")[0] for column in settings.columns} <= known
    assert {settings.utility, *settings.parts, *settings.chance} <= known


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_robustness_table_takes_what_its_key_says(name: str, plan: Plan) -> None:
    task = next(task for task in plan.tasks if plan.task(task).config.benchmark == name)
    judges = STAGES["robustness"].settings(plan, JobName(task))["judged_by"]
    inspect.signature(save).bind([], "", "", **judges, requests=None)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_attacks_judged_by_accuracy_tell_what_guessing_gives(name: str) -> None:
    benchmark = BENCHMARKS[name]
    known = benchmark["table"].get("chance", {})
    for attack, told in benchmark["attacks"].items():
        judges = told.get("judged_by", benchmark["judged_by"]["forget"])
        assert {known.get(judge) for judge in judges} == {told.get("chance")}, attack
