"""Every method side by side: the order, what is marked, what each took."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.report.ranking import SCORE, Taken, columns, table
from blur.report.runs import Run, read_runs
from tests.report.options import TOFU_TABLE
from tests.report.results_tree import write_run

SHOWN = columns(["forget_probability"], "model_utility", TOFU_TABLE)
TAKEN = Taken(0.5, 1e-3, 100, 100, 2, 31.4, 300 * 2**20)


@pytest.fixture
def some(tmp_path: Path) -> list[Run]:
    write_run(tmp_path, "target", "default", 0)
    write_run(tmp_path, "retrained", "default", 0)
    write_run(tmp_path, "ga", "default", 0, model_utility=0.1)
    write_run(tmp_path, "npo_gdr", "default", 0, forget_quality=0.3, forget_probability=0.2)
    write_run(tmp_path, "blur_npo", "default", 0, forget_quality=0.2, forget_probability=0.1)
    return read_runs([tmp_path / "metrics"])


def lines(runs: list[Run], taken: dict[str, Taken], by: str) -> list[list[str]]:
    """Cells of the table, its header first."""
    found = table(runs, SHOWN, taken, TOFU_TABLE, by).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found if line.startswith("|")]


def test_what_is_compared_is_what_judges_the_first_column_and_what_has_parts() -> None:
    assert SHOWN[:3] == ("forget_probability", "forget_quality", "model_utility")
    assert set(SHOWN[2:]) == {"model_utility", *TOFU_TABLE.parts}


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        ("forget_quality", ["NPO-GDR", "BLUR-NPO", "GA †"]),
        ("forget_probability", ["GA †", "BLUR-NPO", "NPO-GDR"]),
        (SCORE, ["BLUR-NPO", "GA †", "NPO-GDR"]),
    ],
)
def test_the_best_comes_first_whoever_it_is(some: list[Run], by: str, wanted: list[str]) -> None:
    scores = {"npo_gdr": None, "blur_npo": 0.9, "ga": 0.4, "target": 0.5, "retrained": 1.0}
    taken = {name: Taken(score=score) for name, score in scores.items()}
    assert [row[0] for row in lines(some, taken, by)[2:]] == ["Target", "Retrained", *wanted]


def test_costs_stand_beside_results_and_updates_that_were_not_made_are_told(some: list[Run]) -> None:
    taken = {run.method: TAKEN for run in some} | {"ga": Taken(planned=100, made=99)}
    found = {row[0]: row[-7:] for row in lines(some, taken, SCORE)}
    assert found["Method"] == ["Score ↑", "Family", "Rate", "Updates", "Passes", "CPU s", "Peak MiB"]
    assert found["BLUR-NPO"] == ["0.500", "blur", "0.001", "100", "2", "31", "300"]
    assert found["GA †"] == ["–", "ga", "–", "99 of 100", "–", "–", "–"]
