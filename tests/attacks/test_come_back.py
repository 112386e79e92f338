"""What came back, from hand-made measurements: metrics by point, worst of several, used and unseen apart."""

from __future__ import annotations

import pytest

from blur.attacks.come_back import told_of_points
from blur.attacks.point import UNKNOWN
from blur.measurements import GenerationRow, LikelihoodRow, Measurements

SPECS = [{"name": "leak", "metric": "rouge_l_f1", "set": "forget", "direction": "lower"}]
ENTITIES = {"forget": {"a1": "ann", "a2": "ann", "b1": "bo"}}


def said(**answers):
    rows = [GenerationRow("forget", id, "p", "one two", text, 2, True) for id, text in answers.items()]
    return Measurements(generations=rows)


def told(points, measured, entities=ENTITIES):
    return told_of_points(points, measured, SPECS, ["leak"], entities, {})


def point(**about):
    return {"arm": "x", "used": [], "measured": True, **about}


def test_all_used_and_unseen():
    found = told({"x": point(used=["ann"], step=4)}, {"x": said(a1="one two", a2="no", b1="one no")})
    assert found["x"]["step"] == 4
    assert found["x"]["metrics"] == {"leak": pytest.approx(0.5)}
    assert found["x"]["judged"] == pytest.approx({"all": 0.5, "used": 0.5, "unseen": 0.5})
    found = told({"x": point(used=["bo"])}, {"x": said(a1="one two", a2="no", b1="no")})
    assert found["x"]["judged"] == pytest.approx({"all": 1 / 3, "used": 0.0, "unseen": 0.5})


def test_a_judge_without_a_value_has_none_on_either_side():
    """One answer of three is NaN: the mean over the others would be one of fewer items."""
    specs = [{"name": "p", "metric": "probability", "set": "forget", "field": "answer", "direction": "lower"}]
    rows = [
        LikelihoodRow("forget", id, "answer", 0, id, [level], [True], [-2.0], [1.0], False)
        for id, level in (("a1", -0.1), ("a2", float("nan")), ("b1", -0.3))
    ]
    found = told_of_points({"x": point(used=["ann"])}, {"x": Measurements(likelihood=rows)}, specs, ["p"], ENTITIES, {})
    assert found["x"]["metrics"] == {"p": None}
    assert found["x"]["judged"] == {"all": None, "used": None, "unseen": None}


@pytest.mark.parametrize(("used", "side"), [([], "used"), (["ann", "bo"], "unseen")])
def test_a_side_without_items_has_no_value(used, side):
    found = told({"x": point(used=used)}, {"x": said(a1="one two", a2="no", b1="no")})
    assert found["x"]["judged"][side] is None
    assert found["x"]["judged"]["all"] == pytest.approx(1 / 3)


def test_the_worst_of_several_is_taken_item_by_item():
    points = {f"x/{place}": point(worst_of="worst of 2") for place in range(2)}
    measured = {"x/0": said(a1="one two", a2="no", b1="no"), "x/1": said(a1="no", a2="no", b1="one two")}
    found = told(points, measured)
    assert list(found) == ["x"]
    assert found["x"]["metrics"]["leak"] == pytest.approx(2 / 3)  # each alone: 1/3
    assert found["x"]["judged"]["all"] == pytest.approx(2 / 3)


def test_points_that_were_not_measured_keep_their_reason():
    found = told({"x": point(measured=False, reason="needs CUDA")}, {})
    assert found["x"] == {"arm": "x", "reason": "needs CUDA"}


def test_several_judges_weigh_alike_however_many_items_they_have():
    specs = [*SPECS, {"name": "other", "metric": "rouge_l_f1", "set": "more", "direction": "lower"}]
    rows = [GenerationRow("forget", id, "p", "one", "one", 1, True) for id in ("a1", "a2", "b1")]
    measured = Measurements(generations=[*rows, GenerationRow("more", "m", "p", "one", "no", 1, True)])
    found = told_of_points({"x": point()}, {"x": measured}, specs, ["leak", "other"], ENTITIES, {})
    assert found["x"]["judged"]["all"] == pytest.approx(0.5)


def test_items_without_an_entity_are_their_own():
    found = told({"x": point(used=["m"])}, {"x": said(m="one two", n="no")}, {})
    assert found["x"]["judged"] == pytest.approx({"all": 0.5, "used": 1.0, "unseen": 0.0})


def test_used_and_unseen_are_not_told_where_nobody_knows_whom_the_used_records_are_about():
    found = told({"x": point(used=["t1"], **{UNKNOWN: True})}, {"x": said(a1="one two", a2="no", b1="no")})
    assert found["x"]["judged"] == {"all": pytest.approx(1 / 3), "used": None, "unseen": None}


def test_a_judge_whose_set_has_no_records_is_left_out():
    specs = [*SPECS, {"name": "other", "metric": "rouge_l_f1", "set": "more", "direction": "lower"}]
    measured = {"x": said(a1="one two", a2="no", b1="no")}
    points, empty = {"x": point(used=["bo"])}, frozenset({"more"})
    found = told_of_points(points, measured, specs, ["leak", "other"], ENTITIES, {}, empty=empty)
    assert found["x"]["metrics"] == {"leak": pytest.approx(1 / 3), "other": None}
    assert found["x"]["judged"] == pytest.approx({"all": 1 / 3, "used": 0.0, "unseen": 0.5})


def test_a_measured_point_without_rows_has_no_values():
    for about in ({}, {"worst_of": "worst of 1"}):
        found = told_of_points({"x": point(**about)}, {}, SPECS, ["leak"], {}, {}, empty=frozenset({"forget"}))
        assert found["x"]["metrics"] == {"leak": None}
        assert found["x"]["judged"] == {"all": None, "used": None, "unseen": None}
