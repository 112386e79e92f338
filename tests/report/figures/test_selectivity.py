"""The curves of selective pruning, and the area between them in closed form."""

from __future__ import annotations

import json

import pytest

from blur.report.runs import Run
from tests.report.options import data, draw


def pruned(folder, variant="default", seed=0, forget=(0.8, 0.4, 0.2), retain=(0.5, 0.45, 0.25), fraction=0.1):
    """A run of a step less than there are values."""
    directory = folder / f"{variant}{seed}"
    directory.mkdir(parents=True)
    epochs = [
        {"epoch": step, "forget_probability": f, "retain_probability": r}
        for step, (f, r) in enumerate(zip(forget, retain, strict=True))
    ]
    (directory / "trajectory.json").write_text(json.dumps({"epochs": epochs}))
    settings = {"edit": {"name": "selective_pruning", "fraction": fraction}}
    return Run("selective_pruning", "Pruning", "selective_pruning", variant, seed, settings, {}, directory=directory)


def test_shares_lost_and_the_area_between_them(tmp_path):
    rows = data("selectivity", [pruned(tmp_path)])
    assert [row["pruned"] for row in rows] == pytest.approx([0, 0.1, 0.2])
    assert [row["forget"] for row in rows] == pytest.approx([0, 0.5, 0.75])
    assert [row["retain"] for row in rows] == pytest.approx([0, 0.1, 0.5])
    # gaps 0, 0.4, 0.25: trapezoids of a tenth
    assert [row["area"] for row in rows] == pytest.approx([0, 0.02, 0.0525])


def test_where_both_fall_together_there_is_no_area_and_where_retain_goes_first_it_is_below_zero(tmp_path):
    same = data("selectivity", [pruned(tmp_path, retain=(0.4, 0.2, 0.1))])
    assert same[-1]["area"] == pytest.approx(0)
    turned = data("selectivity", [pruned(tmp_path, "std", forget=(0.5, 0.45, 0.25), retain=(0.8, 0.4, 0.2))])
    assert turned[-1]["area"] == pytest.approx(-0.0525)


def test_seeds_are_averaged_and_what_prunes_nothing_or_starts_from_nothing_is_left_out(tmp_path):
    two = [pruned(tmp_path, seed=0), pruned(tmp_path, seed=1, forget=(0.8, 0.8, 0.4))]
    rows = data("selectivity", two)
    assert [row["n"] for row in rows] == [2, 2, 2]
    assert [row["forget"] for row in rows] == pytest.approx([0, 0.25, 0.625])
    other = Run("task_vector", "Task Vector", "task_vector", "default", 0, {"edit": {"name": "task_vector"}}, {})
    assert data("selectivity", [other, pruned(tmp_path, "dead", forget=(0.0, 0.0, 0.0))]) == []


def test_a_panel_for_each_variant_with_its_two_lines(tmp_path):
    figure = draw("selectivity", [pruned(tmp_path, fraction=0.2), pruned(tmp_path, "std", fraction=0.4)])
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["Pruning: area 0.105", "Pruning (std): area 0.210"]
    lines = {line.get_gid(): list(line.get_ydata()) for axes in panels for line in axes.lines}
    assert lines["std retain"] == pytest.approx([0, 0.1, 0.5])
    assert len(lines) == 4
    assert "Nothing to draw" in draw("selectivity", []).axes[0].texts[0].get_text()
