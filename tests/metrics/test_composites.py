"""Memorisation, privacy against the retrained model, utility with fluency, and the composite of the three."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.measurements import Measurements
from blur.metrics import compute_all
from blur.metrics.kinds.fluency import distinct_pairs, fluency
from tests.metrics.builders import compute, measured, row, said

TOFU = yaml.safe_load((Path(__file__).parents[2] / "config/benchmarks/tofu.yaml").read_text(encoding="utf-8"))
SPECS = {spec["name"]: spec for spec in TOFU["metrics"]}


def harmonic(*values: float) -> float:
    return 0.0 if min(values) == 0 else len(values) / sum(1 / value for value in values)


def test_memorisation_by_the_definition() -> None:
    scored = row("a", [-1.0, -2.0, -3.0, -4.0], set="eval_forget", argmax=[True, False, True, True])
    model = measured(
        scored,
        row("a", [-0.5, -1.5], set="eval_forget", field="paraphrased_answer", argmax=[False, False]),
        row("a", [-2.0], set="eval_forget", field="perturbed_answer", argmax=[False]),
    )
    wanted = [SPECS[name] for name in SPECS["memorisation"]["of"]]
    found = compute_all([*wanted, SPECS["memorisation"]], model, {})["memorisation"]
    strength, exact = 1 - 2 / 4, 3 / 4
    paraphrase = math.exp(-1.0)
    share = math.exp(-1.0) / (math.exp(-1.0) + math.exp(-2.0))
    parts = [1 - strength, 1 - exact, 1 - paraphrase, 1 - share]
    assert found.value == pytest.approx(harmonic(*parts))
    assert list(found.details.values()) == pytest.approx(parts)


def members(levels: list[float], others: list[float]) -> Measurements:
    rows = [row(f"m{n}", [level], set="s") for n, level in enumerate(levels)]
    return measured(*rows, *(row(f"o{n}", [level], set="t") for n, level in enumerate(others)))


@pytest.mark.parametrize(
    ("own", "its", "expected"),
    [
        ([-1.0, -1.0], [-1.0, -1.0], 1.0),  # both remember: AUC 1 and 1
        ([-9.0, -9.0], [-1.0, -9.0], 0.0),  # AUC 0 and 1/2
        ([-1.0, -1.0], [-1.0, -9.0], 0.0),  # AUC 1 and 1/2
        ([-1.0, -9.0], [-1.0, -1.0], 0.5),  # AUC 1/2 and 1
    ],
)
def test_likeness_to_the_retrained_model(own: list[float], its: list[float], expected: float) -> None:
    others = [-5.0, -5.0]
    retrained = members(its, others)
    found = compute("mia_likeness", members(own, others), retrained, attack="loss", members="s", nonmembers="t")
    assert found.value == pytest.approx(expected)
    area, base = (sum(level > -5 for level in levels) / 2 for levels in (own, its))
    assert found.details["auc"] == area
    assert found.value == pytest.approx(max(0.0, 1 - abs(area - base) / base))


def test_a_retrained_auc_of_zero_leaves_nothing_to_divide_by() -> None:
    found = compute(
        "mia_likeness",
        members([-1.0], [-5.0]),
        members([-9.0], [-5.0]),
        attack="loss",
        members="s",
        nonmembers="t",
    )
    assert found.value is None
    assert "nothing to divide by" in str(found.reason)


TRUE = "the old sailor wrote poems of the sea"


def spoken(levels: dict[str, tuple[str, float]], true: list[float]) -> Measurements:
    """Answers by id with the judge's level of each, and true answers of another set."""
    rows: list[Any] = [said(item, text, TRUE) for item, (text, _) in levels.items()]
    rows += [row(item, [level, level], field="generated", text=text) for item, (text, level) in levels.items() if text]
    rows += [
        row(f"r{n}", [level, level], set="t", field="expected", text=f"{TRUE} {n}") for n, level in enumerate(true)
    ]
    return measured(*rows)


def test_fluency_by_the_definition() -> None:
    true = [-(n + 1) / 10 for n in range(21)]
    bar = 0.1 + 0.95 * 2.0  # linear between the 20th and the 21st
    texts = {"good": (TRUE, -1.0), "strange": (TRUE, -4.0), "loop": ("sea " * 9, -0.5), "none": ("", 0.0)}
    found = compute("fluency", spoken(texts, true), set="s", references="t")
    expected = {"good": 1.0, "strange": math.exp(-(4.0 - bar)), "loop": 1 / 8, "none": 0.0}
    assert found.items["s"] == pytest.approx(expected)
    assert found.value == pytest.approx(sum(expected.values()) / 4)
    assert found.details["bar"] == pytest.approx(bar)
    assert found.details["length_ratio"] == pytest.approx((8 + 8 + 9 + 0) / (4 * 8))


def test_a_model_that_says_nothing_has_no_fluency() -> None:
    found = compute("fluency", spoken({"a": ("", 0.0), "b": ("", 0.0)}, [-1.0]), set="s", references="t")
    assert found.value == 0.0


def test_fluency_at_its_limits() -> None:
    assert fluency(-math.inf, 1.0, 1.0, 1.0) == 0.0
    assert math.isnan(fluency(math.nan, 1.0, 1.0, 1.0))
    assert math.isnan(fluency(-1.0, math.nan, 1.0, 1.0)), "no bar, no number: max(0, NaN) is 0 in Python"
    assert math.isnan(fluency(-math.inf, math.inf, 1.0, 1.0))
    assert distinct_pairs("one") == 1.0
    assert distinct_pairs("a b a b") == pytest.approx(2 / 3)


@pytest.mark.parametrize("levels", [(0.9, 0.8, 0.5), (0.0, 0.8, 0.5)])
def test_the_composite_is_the_harmonic_mean_of_the_three(levels: tuple[float, float, float]) -> None:
    """By parts whose values are known: shares of exact answers out of ten."""
    names = SPECS["composite"]["of"]
    rows = [
        said(f"{name}{n}", "x" if n < 10 * level else "y", "x", set=name)
        for name, level in zip(names, levels, strict=True)
        for n in range(10)
    ]
    specs = [{"name": name, "metric": "exact_match", "set": name} for name in names]
    found = compute_all([*specs, SPECS["composite"]], measured(*rows), {})["composite"]
    assert found.value == pytest.approx(harmonic(*levels))
