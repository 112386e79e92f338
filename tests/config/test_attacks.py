"""Settings of attacks: which file wins, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.check import check
from blur.config.plan import Plan
from blur.config.stages import STAGES
from blur.config.task import JobName, Run
from blur.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def planned(folder: Path, **layers: Any) -> Plan:
    """The plan of scale small with further attack settings in the benchmark, the scale and a task."""
    shutil.copytree(ROOT / "config", folder / "config")
    files = {"benchmark": "benchmarks/tofu.yaml", "scale": "scales/small.yaml", "task": "tasks/tofu.yaml"}
    for name, change in layers.items():
        file = folder / "config" / files[name]
        content = yaml.safe_load(file.read_text())
        if name == "benchmark":
            content["attacks"]["relearn"]["settings"] |= change
        else:
            content["attacks"] = {"relearn": change}
        file.write_text(yaml.safe_dump(content))
    return Plan(folder / "config", {"scale": "small"})


def test_the_order_of_arms_and_of_topics_has_no_meaning(tmp_path: Path) -> None:
    """What comes out is the same bytes, not only what is asked: arms and topics are taken in one order."""
    folder = Path(shutil.copytree(ROOT / "config", tmp_path / "config"))

    def asked() -> list[Any]:
        plan = Plan(folder, {"scale": "ci"})
        attacked, unlearned = Run("tofu", "blur_npo", "lora"), Run("wmdp", "rmu")
        arms = list(plan.attacks.settings("tofu", "quantization").arms)
        topics = list(plan.streams(unlearned)["forget"])
        made = [
            STAGES[stage].parameter(plan, JobName("tofu", attacked, attack="quantization"))
            for stage in ("attack", "attack_metrics")
        ]
        return [arms, topics, *made, STAGES["unlearn"].parameter(plan, JobName("wmdp", unlearned))]

    before = asked()
    for name, part in (("attacks/quantization", ("settings", "arms")), ("benchmarks/wmdp", ("training", "forget"))):
        path = folder / f"{name}.yaml"
        content = yaml.safe_load(path.read_text())
        content[part[0]][part[1]] = dict(reversed(content[part[0]][part[1]].items()))
        path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert asked() == before


def test_task_wins_over_scale_and_scale_over_benchmark(tmp_path: Path) -> None:
    steps = {"benchmark": [1], "scale": [2], "task": [3]}
    for last, expected in steps.items():
        below = list(steps)[: list(steps).index(last) + 1]
        plan = planned(tmp_path / last, **{name: {"at": steps[name]} for name in below})
        settings: Any = plan.attacks.settings("tofu", "relearn")
        assert list(settings.at) == expected


def test_settings_of_one_task_leave_the_others_alone(tmp_path: Path) -> None:
    changed, shipped = planned(tmp_path, task={"at": [3]}), Plan(ROOT / "config", {"scale": "small"})
    assert changed.attacks.settings("muse_news", "relearn") == shipped.attacks.settings("muse_news", "relearn")
    assert changed.attacks.settings("tofu", "relearn") != shipped.attacks.settings("tofu", "relearn")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            "{data: {forget: [forgett]}}",
            r"tofu.yaml: attacks.relearn.data.forget: no set 'forgett'. Did you mean 'forget'",
        ),
        ("{data: {forget: []}}", r"tofu.yaml: attacks.relearn: key 'data.forget'.*at least 1 item"),
        (
            "{arms: {forget_hal: null}}",
            r"tofu.yaml: attacks.relearn.arms: no arm 'forget_hal' to leave out. Did you mean",
        ),
        ("{at: 4}", r"tofu.yaml: attacks.relearn: key 'at': should be a list, got 4"),
        ("{arms: null}", r"tofu.yaml: attacks.relearn: key 'arms': should be a mapping"),
        ("{arms: {forget_half: {data: forgot}}}", r"'forget_half' learns 'forgot', which `data` lacks"),
    ],
)
def test_wrong_settings_of_a_task_name_its_file_and_key(tmp_path: Path, typed: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(planned(tmp_path, task=yaml.safe_load(typed)), "tofu")


def test_settings_of_an_attack_that_is_not_made_are_checked_too(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    file = tmp_path / "config/tasks/muse_books.yaml"
    assert not plan.attacks.pairs("muse_books")
    file.write_text(file.read_text() + "attacks: {quantization: {bitz: 3}}\n")
    with pytest.raises(ConfigError, match=r"muse_books.yaml: attacks.quantization: unknown key 'bitz'"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "muse_books")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"attacks": ["relern"]}, "no attack 'relern'. Did you mean 'relearn'"),
        ({"attacks": ["rtt"]}, "the benchmark has no attack 'rtt'"),
        ({"methods": ["blur_nop"]}, "no method 'blur_nop'. Did you mean 'blur_npo'"),
    ],
)
def test_what_is_attacked_is_blamed_on_where_it_was_typed(tmp_path: Path, typed: Any, message: str) -> None:
    planned(tmp_path)
    file = tmp_path / "config/tasks/muse_books.yaml"
    selection = {"attacks": ["relearn"], "methods": ["blur_npo"], "seeds": [0], **typed}
    file.write_text(file.read_text() + yaml.safe_dump({"attacked": [selection]}))
    with pytest.raises(ConfigError, match=f"muse_books.yaml: attacked: {message}"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "muse_books")


@pytest.mark.parametrize("typed", [{"attacks": ["rrt"]}, {"options": {"attack": "rrt"}}])
def test_a_figure_of_an_unknown_attack_is_refused(tmp_path: Path, typed: Any) -> None:
    planned(tmp_path)
    file = tmp_path / "config/benchmarks/tofu.yaml"
    content = yaml.safe_load(file.read_text())
    figure = content["figures"]["relearning"]
    content["figures"]["relearning"] = {**figure, **typed, "options": {**figure["options"], **typed.get("options", {})}}
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"tofu.yaml: figures.relearning.*: no attack 'rrt'"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "tofu")


def test_an_attack_that_a_scale_misspells_is_refused(tmp_path: Path) -> None:
    planned(tmp_path)
    file = tmp_path / "config/scales/small.yaml"
    file.write_text(file.read_text() + "attacks:\n  relern: {at: [3]}\n")
    with pytest.raises(ConfigError, match=r"small.yaml: attacks: no attack 'relern'. Did you mean 'relearn'"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "tofu")


def test_an_attacked_model_is_measured_for_the_metrics_of_its_attack_and_no_more() -> None:
    plan = Plan(ROOT / "config", {"scale": "small"})

    def asked(task: str, attack: str) -> dict[str, Any]:
        measure = plan.attacks.measure(task, attack)
        return {
            "likelihood": {(one.set, field) for one in measure.likelihood for field in one.fields},
            "generation": [one.set for one in measure.generation],
            "gradnorm": [one.set for one in measure.gradnorm],
            "harness": [one.name for one in measure.harness],
        }

    nothing: dict[str, Any] = {"likelihood": set(), "generation": [], "gradnorm": [], "harness": []}
    answers = {("eval_forget", "answer"), ("eval_retain", "answer")}
    assert asked("tofu", "relearn") == nothing | {"likelihood": answers}
    assert asked("tofu", "prompts") == nothing | {"generation": ["eval_forget"]}
    assert asked("muse_news", "relearn") == nothing | {"generation": ["verbmem", "forget_qa"]}
    assert asked("wmdp", "parts") == nothing | {"harness": ["wmdp_bio_text", "wmdp_cyber_text"]}
    quantized = asked("tofu", "quantization")
    assert not quantized["gradnorm"]
    assert not {name for name, _ in quantized["likelihood"]} & {f"request_{n}" for n in (1, 2, 3, 4)}
    assert ("world_facts", "perturbed_answer") in quantized["likelihood"]
    assert plan.attacks.measure("tofu", "relearn").likelihood[0].limit is None


def test_metrics_that_an_attack_is_made_of_come_along() -> None:
    metrics, judges = Plan(ROOT / "config", {"scale": "small"}).attacks.metrics("tofu", "quantization")
    names = [spec.name for spec in metrics]
    assert "model_utility" in names
    assert "world_facts_truth_ratio" in names
    assert "mia_gradnorm" not in names
    assert judges == ["forget_probability"]


def test_a_metric_of_what_the_suite_lacks_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    file = tmp_path / "config/benchmarks/tofu.yaml"
    content = yaml.safe_load(file.read_text())
    content["measure"]["generation"] = [{"set": "eval_retain"}]
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"attacks.prompts.metrics: .*not measure generations of eval_forget"):
        Plan(tmp_path / "config", {"scale": "small"}).attacks.measure("tofu", "prompts")


def test_a_kind_is_found_by_its_name_and_is_no_other_than_its_file_names(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    kinds = {name: plan.attacks.settings("tofu", name).name for name in ("relearn", "quantization")}
    assert kinds == {"relearn": "relearn", "quantization": "quantize"}
    file, scale = (tmp_path / "config" / name for name in ("attacks/relearn.yaml", "scales/small.yaml"))
    said, shipped = file.read_text(), scale.read_text()
    file.write_text(said.replace("module: relearn", "module: relern"))
    with pytest.raises(ConfigError, match=r"relearn.yaml: module: no 'relern' among .*; did you mean 'relearn'"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "tofu")
    file.write_text(said)
    scale.write_text(shipped + "attacks: {relearn: {name: parts}}\n")
    with pytest.raises(ConfigError, match=r"small.yaml: attacks.relearn: key 'name': should be 'relearn', got 'parts'"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "tofu")
