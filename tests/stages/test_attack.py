"""An attack's arms are kept one by one: what an interrupted attack had done is not done again."""

from __future__ import annotations

import json

import pytest

from blur.attacks.kinds.base import AttackBase
from blur.attacks.point import Point
from blur.core.paths import POINTS
from blur.measurements import GenerationRow, Measurements, read_points
from blur.stages.attack import _collect, _strike


def said(text):
    return Measurements(generations=[GenerationRow("forget", "a", "p", "r", text, 1, True)])


class Counting(AttackBase):
    """Two arms; the second one fails at the first try."""

    name: str = "counting"

    def strike(self, arm, victim):
        victim.append(arm)
        if arm == "second" and victim.count("second") == 1:
            raise RuntimeError("killed")
        if arm == "absent":
            return {"": Point(None, {"reason": "not here"})}
        return {f"step{n}": Point(said(f"{arm} {n}"), {"step": n}, frozenset({"ann"})) for n in (1, 10)}


ATTACK = Counting(arms={arm: {} for arm in ("second", "first", "absent")})


def make(folder, made):
    for arm in ATTACK.arms:
        _strike(ATTACK, arm, made, folder / arm)


def test_only_the_arm_that_was_interrupted_is_made_again(tmp_path):
    made: list[str] = []
    with pytest.raises(RuntimeError, match="killed"):
        make(tmp_path, made)
    make(tmp_path, made)
    make(tmp_path, made)
    assert made == ["absent", "first", "second", "second"], "arms are sorted: the order of keys has no meaning"


def test_an_arm_without_its_list_of_points_is_made_again(tmp_path):
    made = ["second"]
    make(tmp_path, made)
    (tmp_path / "first" / POINTS).unlink()
    make(tmp_path, made)
    assert made == ["second", "absent", "first", "second", "first"]


def test_all_arms_come_together_with_what_each_point_is(tmp_path):
    make(tmp_path / "work", ["second"])
    files = _collect(ATTACK, tmp_path / "work", tmp_path / "out")
    assert all((tmp_path / "out" / name).is_file() for name in files)
    assert POINTS in files
    told = json.loads((tmp_path / "out" / POINTS).read_text())
    assert told["second/step10"] == {"arm": "second", "step": 10, "used": ["ann"], "measured": True}
    assert told["absent"] == {"arm": "absent", "reason": "not here", "used": [], "measured": False}
    found = read_points(tmp_path / "out")
    assert list(found) == ["first/step1", "first/step10", "second/step1", "second/step10"]
    assert found["first/step10"].generations("forget")[0].generated == "first 10"
