"""Attacks in the graph: what they find at the `ci` scale, and that they leave what they attack alone."""

from __future__ import annotations

import csv
import json
from statistics import fmean

import pytest

from tests.workflow.cases import ATTACKED, REFERENCES
from tests.workflow.conftest import Workspace

pytestmark = pytest.mark.workflow
EIGHT_BITS = ("int8_channel", "bnb_int8")


def points(workspace: Workspace, attack: str, run: str, task: str = "tofu") -> dict[str, dict]:
    path = workspace.root / f"results/ci/attack_metrics/{task}/{run}/seed0/{attack}/attack.json"
    return json.loads(path.read_text())["points"]


def metrics(workspace: Workspace, run: str, task: str = "tofu") -> dict[str, float]:
    return json.loads((workspace.root / f"results/ci/metrics/{task}/{run}/seed0/metrics.json").read_text())["metrics"]


def test_eight_bits_reproduce_the_target_within_a_hundredth(finished: Workspace) -> None:
    before = metrics(finished, "target/default")
    found = points(finished, "quantization", "target/default")
    measured = [found[arm]["metrics"] for arm in EIGHT_BITS if "metrics" in found[arm]]
    assert measured
    for after in measured:
        for name in ("forget_probability", "model_utility", "forget_rouge", "retain_probability"):
            assert after[name] == pytest.approx(before[name], abs=0.01), name
    assert found["int8_channel"]["collision_rate"] == 1.0


def test_fewer_codes_are_the_targets_at_eight_bits_than_at_four(finished: Workspace) -> None:
    found = points(finished, "quantization", ATTACKED["tofu"])
    assert found["int8_channel"]["collision_rate"] < found["int4_channel"]["collision_rate"] < 1


def test_without_its_adapter_a_model_is_the_one_from_before(finished: Workspace) -> None:
    before = metrics(finished, "target/default")
    after = points(finished, "parts", ATTACKED["tofu"])["adapter"]["metrics"]
    assert metrics(finished, ATTACKED["tofu"])["forget_probability"] < before["forget_probability"] - 0.2
    for name, value in after.items():
        assert value == pytest.approx(before[name], abs=1e-4), name


def test_retraining_teaches_the_retrained_model_what_it_trains_on_and_nothing_of_the_split_held_out(
    finished: Workspace,
) -> None:
    found = points(finished, "rtt", "retrained/default", "rtt")
    last = [found[f"fold_{fold}/step16"]["judged"] for fold in range(5)]
    before = metrics(finished, "retrained/default", "rtt")["forget_accuracy"]
    assert min(judged["used"] for judged in last) > before + 0.3
    assert fmean(judged["unseen"] for judged in last) < 0.49  # thirty questions: chance and three deviations
    assert min(point["judged"]["unseen"] for point in points(finished, "rtt", "target/default", "rtt").values()) > 0.7


def test_the_table_has_every_attack_and_the_csv_every_point(finished: Workspace) -> None:
    folder = finished.root / "results/ci/figures/tofu"
    text = (folder / "robustness.md").read_text()
    for title in ("Relearning", "Quantization", "Prompts", "Removal of parts", "BLUR-NPO (lora)"):
        assert title in text
    with open(folder / "robustness.csv", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    expected = {
        f"{attack} {name}"
        for attack in ("relearn", "quantization", "prompts", "parts")
        for name in points(finished, attack, ATTACKED["tofu"])
    }
    assert {f"{row['attack']} {row['point']}" for row in rows if row["attack"] != "all"} == expected
    (adapter,) = [row for row in rows if row["point"] == "adapter"]
    assert float(adapter["recovery"]) == pytest.approx(1, abs=1e-4), "float32 weights, plus and minus the adapter"


@pytest.mark.parametrize("attack", ["prompts", pytest.param("relearn", marks=pytest.mark.long)])
def test_an_attack_again_gives_the_same_and_touches_nothing_else(copied: Workspace, attack: str) -> None:
    run = f"tofu/{ATTACKED['tofu']}/seed0"
    folder = copied.root / f"results/ci/attacks/{run}/{attack}"
    before = json.loads((folder / "manifest.json").read_text())["files"]
    others = {
        path: path.stat().st_mtime_ns
        for place in (f"models/{run}", *(f"models/tofu/{reference}/seed0" for reference in REFERENCES))
        for path in (copied.root / "results/ci" / place).rglob("*")
    }
    (folder / "manifest.json").unlink()
    method, variant = ATTACKED["tofu"].split("/")
    copied.run(*f"blur attack --scale ci --task tofu --method {method} --variant {variant} --attack {attack}".split())
    assert json.loads((folder / "manifest.json").read_text())["files"] == before
    assert {path: path.stat().st_mtime_ns for path in others} == others
