"""A method that forgot nothing says so; one that forgot a little, on every author, does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blur.metrics.kinds.base import Outcome
from blur.metrics.store import write_metrics
from blur.report import tables
from blur.report.cells import sections
from blur.report.runs import Run, read_runs
from blur.report.settings import TableSettings
from blur.report.unchanged import groups_of, with_changes

AUTHORS, QUESTIONS = 8, 4
GROUPS = {f"a{author}-q{number}": f"a{author}" for author in range(AUTHORS) for number in range(QUESTIONS)}
SETTINGS = TableSettings(columns=("forget_probability",), utility="model_utility", parts=("model_utility",))
PARTS = {"retain_rouge": 0.5, "world_facts_rouge": 0.0}


def written(root: Path, method: str, change: dict[str, float], seed: int = 0) -> None:
    """A run whose items are those of the target, changed by author."""
    values = {item: 0.9 - 0.01 * place + change.get(GROUPS[item], 0.0) for place, item in enumerate(GROUPS)}
    mean = sum(values.values()) / len(values)
    identity = {"task": "t", "method": method, "variant": "default", "seed": seed, "scale": "s", "inputs": {}}
    metrics = {"forget_probability": Outcome(mean, "lower", len(values), {"eval": values}, {})}
    metrics["model_utility"] = Outcome(0.0, "higher", 2, {}, PARTS if method == "npo" else {})
    folder = root / method / str(seed)
    folder.mkdir(parents=True)
    write_metrics(folder, {**identity, "settings": {}}, metrics)


def told(root: Path, groups: dict[str, str] = GROUPS) -> dict[str, bool]:
    return {run.method: run.unchanged for run in with_changes(read_runs([root]), ["forget_probability"], groups)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    written(tmp_path, "target", {})
    return tmp_path


def test_the_interval_over_groups_decides(root: Path) -> None:
    written(root, "retrained", {})
    written(root, "ga", {})
    written(root, "npo", {f"a{author}": -0.3 for author in range(AUTHORS)})
    written(root, "rmu", {f"a{author}": 0.05 * (-1) ** author for author in range(AUTHORS)})
    written(root, "simnpo", {"a0": -0.5})  # one author of eight: drawn anew, it is often missing
    found = {"target": False, "retrained": False, "ga": True, "npo": False, "rmu": True, "simnpo": True}
    assert told(root) == found
    assert told(root, {})["simnpo"] is False, "its four items as if they were independent"


def test_seeds_count_together(root: Path) -> None:
    for seed in (0, 1):
        written(root, "ga", {f"a{author}": -0.05 + 0.1 * seed for author in range(AUTHORS)}, seed)
        written(root, "npo", {f"a{author}": -0.05 - 0.1 * seed for author in range(AUTHORS)}, seed)
    assert told(root) == {"target": False, "ga": True, "npo": False}


def test_a_single_group_is_unchanged_only_where_nothing_differs(root: Path) -> None:
    written(root, "ga", {})
    written(root, "npo", {"a0": -0.1})
    assert told(root, dict.fromkeys(GROUPS, "one")) == {"target": False, "ga": True, "npo": False}


def test_without_target_or_items_nothing_is_claimed(root: Path, tmp_path: Path) -> None:
    written(root, "ga", {})
    runs = read_runs([root])
    assert not any(run.unchanged for run in with_changes(runs, ["forget_quality"], GROUPS))
    assert not any(run.unchanged for run in with_changes([runs[0]], ["forget_probability"], GROUPS))


def test_groups_are_those_of_the_data(tmp_path: Path) -> None:
    (tmp_path / "forget.jsonl").write_text('{"id": "a", "text": "x", "group": "g"}\n{"id": "b", "text": "y"}\n')
    assert groups_of(tmp_path) == {"a": "g"}


def run(method: str, probability: float, utility: float, unchanged: bool = False) -> Run:
    metrics = {"forget_probability": probability, "model_utility": utility}
    about = {"forget_probability": {"direction": "lower"}, "model_utility": {"direction": "higher", "details": PARTS}}
    return replace(Run(method, method.upper(), method, "default", 0, {}, metrics, about), unchanged=unchanged)


def test_an_unchanged_row_wears_no_best_mark_and_a_zero_says_which_part() -> None:
    runs = [run("target", 0.9, 0.6), run("ga", 0.9, 0.6, True), run("npo", 0.5, 0.5), run("rmu", 0.6, 0.0)]
    rows = {row.key: row for row in sections(runs, SETTINGS)[0].rows}
    assert {key for key, row in rows.items() if row.cells["forget_probability"].best} == set()
    text = tables.markdown([*runs, run("simnpo", 0.7, 0.4)], "T", SETTINGS)
    assert "| GA ‡ | 0.900 |" in text
    assert "‡ unchanged: what it was to forget cannot be told from the target's" in text
    assert "0.000 (a)" in text
    assert "(a) 0 because world facts ROUGE-L is 0" in text
