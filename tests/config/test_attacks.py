"""Settings of attacks: which file wins, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.check import check
from blur.config.plan import Plan
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


def test_an_attack_that_a_scale_misspells_is_refused(tmp_path: Path) -> None:
    planned(tmp_path)
    file = tmp_path / "config/scales/small.yaml"
    file.write_text(file.read_text() + "attacks:\n  relern: {at: [3]}\n")
    with pytest.raises(ConfigError, match=r"small.yaml: attacks: no attack 'relern'. Did you mean 'relearn'"):
        check(Plan(tmp_path / "config", {"scale": "small"}), "tofu")
