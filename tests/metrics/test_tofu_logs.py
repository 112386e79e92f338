"""The aggregation on TOFU's own logs, and the conversion of such logs on a tiny one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from blur.metrics import compute_all
from blur.metrics.tofu_logs import FILES, audit, main, read_log, specs

LOGS = Path(__file__).parents[3] / "shared" / "data" / "tofu_eval_logs"


def log(true: float, false: list[float]) -> dict[str, Any]:
    return {
        "avg_gt_loss": {"0": 0.5, "1": 1.0},
        "avg_paraphrased_loss": {"0": true, "1": true},
        "average_perturb_loss": {"0": false, "1": false},
        "generated_text": {"0": ["Q", "a b", "a b"], "1": ["Q", "a", "a b"]},
        "truth_ratio": {"0": math.exp(sum(false) / 2 - true), "1": 99.0},
    }


def record(true: float = 1.0, false: tuple[float, float] = (1.5, 2.5)) -> dict[str, Any]:
    return {file: log(true, list(false)) for file in FILES.values()}


def test_conversion_by_hand() -> None:
    model = read_log(record(), "log")
    metrics = compute_all(specs(), model, {"retrained": model})
    t = math.exp(1.0 - 2.0)
    options = sum(math.exp(-g) / (math.exp(-g) + math.exp(-1.5) + math.exp(-2.5)) for g in (0.5, 1.0)) / 2
    assert metrics["retain_probability"].value == pytest.approx((math.exp(-0.5) + math.exp(-1.0)) / 2)
    assert metrics["world_facts_probability"].value == pytest.approx(options)
    assert metrics["forget_rouge"].value == 0.75
    assert metrics["forget_truth_ratio"].value == pytest.approx(t)
    assert metrics["retain_truth_ratio"].value == pytest.approx(1 - t)
    assert metrics["forget_quality"].value == 1.0
    assert len(metrics["model_utility"].details) == 9
    assert not any(name.startswith("forget") for name in metrics["model_utility"].details)


def test_the_logs_truth_ratio_is_the_inverse_of_ours_and_not_read() -> None:
    one = record()
    stored = one["eval_log_forget.json"]["truth_ratio"]["0"]
    ours = read_log(one, "log")
    ratios = compute_all(specs(), ours, {"retrained": ours})["forget_quality"].items["eval_forget"]
    assert math.exp(-ratios["0"]) == pytest.approx(stored)
    assert ratios["1"] == ratios["0"]


def test_command_prints_a_table_and_names_a_missing_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(record()))
    broken = record()
    del broken["eval_log.json"]["avg_gt_loss"]
    bad.write_text(json.dumps(broken))
    assert main([str(good), str(good)]) == 0
    assert "model_utility" in capsys.readouterr().out
    assert main([str(bad), str(good)]) == 1
    assert "bad.json: eval_log.json has no key 'avg_gt_loss'" in capsys.readouterr().err
    assert main([str(tmp_path / "none.json"), str(good)]) == 1
    assert main([]) == 2
    assert main(["--help"]) == 0


@pytest.mark.shared
@pytest.mark.skipif(not LOGS.is_dir(), reason="the TOFU logs lie outside the checkout")
def test_published_logs_give_the_published_figures() -> None:
    full, retain = audit(str(LOGS / "llama2-7b_full.json"), str(LOGS / "llama2-7b_retain90.json"))
    quality = full["forget_quality"]
    assert quality.value == pytest.approx(1.834e-21, rel=5e-4)
    assert quality.details["ks_statistic"] == pytest.approx(0.3967, abs=5e-5)
    assert quality.n == 300
    assert full["model_utility"].value == pytest.approx(0.6227, abs=5e-5)
    assert retain["model_utility"].value == pytest.approx(0.6137, abs=5e-5)
    assert retain["forget_quality"].value == 1.0


@pytest.mark.shared
@pytest.mark.skipif(not LOGS.is_dir(), reason="the TOFU logs lie outside the checkout")
def test_rouge_equals_every_recall_that_tofu_logged() -> None:
    path = LOGS / "llama2-7b_full.json"
    logged = json.loads(path.read_text())
    full, _ = audit(str(path), str(path))
    for name, file in FILES.items():
        expected = logged[file]["rougeL_recall"]
        assert full[f"{name.removeprefix('eval_')}_rouge"].items[name] == pytest.approx(expected, abs=1e-12)
