"""Result files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from blur.core.errors import ArtifactError
from blur.measurements import ChoiceRow, GradnormRow, Measurements
from blur.metrics import Outcome, compute_all
from blur.metrics.store import trajectory, write_metrics, write_trajectory
from tests.metrics.builders import measured, row, said

META: dict[str, Any] = {
    "task": "tofu",
    "method": "npo",
    "variant": "default",
    "seed": 0,
    "scale": "ci",
    "inputs": {},
    "settings": {},
}


def test_metrics_and_items_are_written(tmp_path: Path) -> None:
    metrics = {
        "p": Outcome(0.5, "lower", 2, {"s": {"a": 0.25, "b": 0.75}, "t": {"a": -math.inf}}, {"d": 1.0}),
        "q": Outcome(None, "higher", 0, reason="not defined: task has no retrained model"),
    }
    assert write_metrics(tmp_path, META, metrics) == ["items.parquet", "metrics.json"]
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["schema_version"] == 1
    assert {key: record[key] for key in META} == META
    assert record["metrics"] == {"p": 0.5, "q": None}
    assert record["about"]["p"] == {"direction": "lower", "n": 2, "details": {"d": 1.0}}
    assert record["about"]["q"]["reason"] == "not defined: task has no retrained model"
    table = pq.read_table(tmp_path / "items.parquet").to_pylist()
    assert table[0] == {"set": "s", "id": "a", "metric": "p", "value": 0.25}
    assert [line["value"] for line in table] == [0.25, 0.75, -math.inf]


def test_no_items_still_write_a_table(tmp_path: Path) -> None:
    write_metrics(tmp_path, META, {"p": Outcome(0.5, "lower", 2)})
    assert pq.read_table(tmp_path / "items.parquet").column_names == ["set", "id", "metric", "value"]


@pytest.mark.parametrize("meta", [{**META, "extra": 1}, {key: META[key] for key in META if key != "seed"}])
def test_other_meta_is_refused(tmp_path: Path, meta: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"extra|seed"):
        write_metrics(tmp_path, meta, {})
    assert not list(tmp_path.iterdir())


def test_nan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_metrics(tmp_path, {**META, "settings": {"lr": math.nan}}, {})
    with pytest.raises(ValueError, match="JSON"):
        write_trajectory(tmp_path, [{"epoch": 0, "forget_probability": math.nan}])
    assert not (tmp_path / "trajectory.json").exists()
    assert not (tmp_path / "metrics.json").exists()


def test_trajectory_has_one_record_per_epoch_in_order(tmp_path: Path) -> None:
    specs = [{"name": "forget_probability", "metric": "probability", "set": "s"}]
    epochs = {1: measured(row("a", [math.nan])), 0: measured(row("a", [math.log(0.5)]))}
    records = trajectory(epochs, specs)
    assert records == [
        {"epoch": 0, "forget_probability": pytest.approx(0.5)},
        {"epoch": 1, "forget_probability": None},
    ]
    assert write_trajectory(tmp_path, records) == ["trajectory.json"]
    assert json.loads((tmp_path / "trajectory.json").read_text())["epochs"][1] == records[1]


def test_a_trajectory_may_be_of_generations_and_of_sets_that_the_task_has_not() -> None:
    specs = [
        {"name": "verbmem_f", "metric": "rouge_l_f1", "set": "s"},
        {"name": "knowmem_f", "metric": "rouge_l_f1", "set": "none"},
    ]
    records = trajectory({0: measured(said("a", "one two", "one two"))}, specs, frozenset({"none"}))
    assert records == [{"epoch": 0, "verbmem_f": 1.0, "knowmem_f": None}]


def test_a_trajectory_cannot_need_a_reference() -> None:
    specs = [{"name": "q", "metric": "forget_quality", "set": "s", "truth": "answer"}]
    with pytest.raises(ArtifactError, match="retrained"):
        trajectory({0: measured(row("a", [-1.0]))}, specs)


def everything() -> list[dict[str, Any]]:
    truth = {"set": "forget", "truth": "paraphrased_answer"}
    sides = {"members": "forget", "nonmembers": "holdout"}
    attacks = ("loss", "zlib", "min_k", "min_k_plus_plus", "gradnorm", "reference")
    specs: list[dict[str, Any]] = [{"metric": m, "set": "forget"} for m in ("probability", "probability_with_options")]
    specs += [{"metric": m, "set": "forget"} for m in ("exact_memorization", "extraction_strength", "rouge_l_f1")]
    specs += [{"metric": "truth_ratio", **truth, "aggregate": kind} for kind in ("closeness", "utility", "share")]
    specs += [{"metric": "mia", "attack": attack, **sides} for attack in attacks]
    specs += [{"metric": "privleak", **sides}, {"metric": "forget_quality", **truth}]
    specs += [{"metric": "rouge_l_recall", "set": "forget"}, {"metric": "accuracy", "request": "quiz"}]
    specs += [{"metric": m, "sets": ["forget"]} for m in ("perplexity", "repetition")]
    named = [{"name": f"m{place}", **spec} for place, spec in enumerate(specs)]
    return [*named, {"name": "mean", "metric": "harmonic_mean", "of": [spec["name"] for spec in named[:8]]}]


def collapsed(value: float) -> Measurements:
    fields = ("answer", "paraphrased_answer", "perturbed_answer")
    return measured(
        *[
            row(f"{name}{i}", [value, value], set=name, field=field, mean=[value] * 2, var=[abs(value)] * 2, eos=True)
            for name in ("forget", "holdout")
            for field in fields
            for i in (0, 1)
        ],
        *[GradnormRow(name, f"{name}{i}", abs(value)) for name in ("forget", "holdout") for i in (0, 1)],
        *[said(f"forget{i}", "", "yes", set="forget") for i in (0, 1)],
        *[ChoiceRow("quiz", f"q{i}", "", "", ["A", "B"], [value, value], i) for i in (0, 1)],
    )


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("value", [-math.inf, math.nan])
def test_a_collapsed_model_gets_its_files_without_nan(tmp_path: Path, value: float) -> None:
    metrics = compute_all(everything(), collapsed(value), {"retrained": collapsed(-1.0)})
    write_metrics(tmp_path, META, metrics)
    record = json.loads((tmp_path / "metrics.json").read_text())
    undefined = {name for name, number in record["metrics"].items() if number is None}
    assert all(record["about"][name]["reason"] for name in undefined)
    assert metrics["m0"].value == (0.0 if value == -math.inf else None)
    assert metrics["mean"].value is None


def test_every_metric_is_defined_for_a_healthy_model() -> None:
    metrics = compute_all(everything(), collapsed(-1.0), {"retrained": collapsed(-1.0)})
    assert [name for name, metric in metrics.items() if metric.value is None] == []
