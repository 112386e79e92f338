"""`blur methods`: every method, whole, as docs/paper_index.md has it; what a method costs, counted by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from blur.config.plan import Plan
from blur.edits.base import EditSettings
from blur.planner.methods import Cost, cost, page, rows
from blur.unlearn.settings import UnlearnSettings

ROOT = Path(__file__).parents[2]
PLAN = Plan(ROOT / "config")
ROWS = {row.name: row for row in rows(PLAN)}


def test_the_page_is_what_the_command_prints() -> None:
    stored = (ROOT / "docs/paper_index.md").read_text(encoding="utf-8")
    assert stored == page(PLAN), "type `blur methods > docs/paper_index.md`"


def test_every_file_is_a_row_and_an_entry_with_all_that_it_says() -> None:
    assert sorted(ROWS) == sorted(path.stem for path in (ROOT / "config/methods").glob("*.yaml"))
    entries = dict(part.split("\n", 1) for part in page(PLAN).split("\n## ")[1:])
    assert set(entries) == set(ROWS)
    for name, row in ROWS.items():
        config = PLAN.method(name)
        for text in (config.title, config.family, config.source, *config.faults):
            assert text in entries[name]
        assert ("Our reading" in entries[name]) == config.reading
        assert all((ROOT / "src" / f"{module.replace('.', '/')}.py").is_file() for module in row.code)


@pytest.mark.parametrize("name", ROWS)
def test_a_source_names_a_paper_or_says_that_it_is_ours(name: str) -> None:
    assert re.search(r"\barXiv \d{4}\.\d{5}\b|\bours\b", ROWS[name].config.source)


def test_code_is_what_the_file_names() -> None:
    losses = ["blur.unlearn.losses.dpo", "blur.unlearn.losses.nll"]
    besides = ["blur.unlearn.alternates.refusals", "blur.derived.reference_sums"]
    assert list(ROWS["blur_idk_dpo"].code) == [*losses, "blur.unlearn.combine.bilevel", *besides]
    assert list(ROWS["task_vector"].code) == ["blur.edits.task_vector", "blur.derived.forget_tuned"]


GA, NLL, KL = ({"loss": name} for name in ("ga", "nll", "kl"))
RMU = {"loss": {"name": "rmu", "layer": 7, "of": 32}}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"forget": [GA]}, Cost(1, 0, 2, 1)),
        ({"forget": [GA], "retain": [NLL]}, Cost(2, 0, 2, 1)),
        ({"forget": [GA], "retain": [KL]}, Cost(2, 1, 2, 2)),  # the original model
        ({"forget": [GA], "retain": [NLL], "combine": "bilevel"}, Cost(2, 0, 2, 2)),  # both gradients
        ({"forget": [GA, {**GA, "stream": "other"}], "retain": [NLL, KL]}, Cost(3, 1, 2, 2)),  # NLL and KL share one
        ({"forget": [RMU, {"loss": {**RMU["loss"], "layer": 8}}]}, Cost(2, 0, 2, 1)),  # each layer its own
        ({"forget": [GA], "optimizer": {"name": "sgd"}}, Cost(1, 0, 0, 1)),
        ({"forget": [GA], "retain": [NLL], "optimizer": {"name": "sophia", "every": 10}}, Cost(2.1, 0, 2, 1)),
        ({"forget": [GA], "retain": [NLL], "combine": {"momentum": "none", "name": "weighted"}}, Cost(2, 0, 1, 1)),
    ],
)
def test_costs_are_those_counted_by_hand(settings: dict[str, Any], wanted: Cost) -> None:
    assert cost(UnlearnSettings(steps=1, **settings)) == wanted


def test_an_edit_costs_the_models_beside_the_one_it_changes() -> None:
    assert cost(EditSettings.model_validate({"edit": "task_vector"})) == Cost(0, 0, 0, 1)
