"""Requests one after another, judged by hand."""

from __future__ import annotations

import pytest

from blur.report.robustness import verdicts
from blur.report.robustness_table import save
from blur.report.runs import Run
from blur.report.sequence import NAME, UNFORGOTTEN, with_sequence

SEQUENCE = {
    "title": "Later requests",
    "variants": ["default", "two", "three"],
    "metrics": ["f1", "f2", "f3"],
    "floor": "f1",
}


def run(method, variant="default", left=(0.0, 0.0, 0.0), seed=0):
    metrics = {"f": 0.1, "u": 0.8, **dict(zip(SEQUENCE["metrics"], left, strict=True))}
    return Run(method, method.upper(), method, variant, seed, {}, metrics)


# The retrained model knows what the later requests are about: only its level of the first one is a floor.
TARGET, RETRAINED = run("target", left=(0.9, 0.8, 0.7)), run("retrained", left=(0.1, 0.8, 0.7))
TARGET.metrics["f"] = 0.9
RUNS = [
    TARGET,
    RETRAINED,
    run("npo"),
    run("npo", "two", (0.5, 0.2, 0.7)),
    run("npo", "three", (0.3, 0.38, 0.2)),
    run("graddiff"),
]


def test_recovery_of_each_earlier_request_after_each_later_one():
    (found,) = verdicts(RUNS, ["f"], "u", SEQUENCE)
    assert (found.run.method, found.run.variant) == ("npo", "default")
    assert {one.point: one.value for one in found.recoveries} == {
        "two/f1": pytest.approx((0.5 - 0.1) / 0.8),
        "three/f1": pytest.approx((0.3 - 0.1) / 0.8),
        "three/f2": pytest.approx((0.38 - 0.1) / 0.7),
    }
    assert found.worst.point == "two/f1"
    assert found.robustness == pytest.approx(0.5)


def test_without_a_floor_the_retrained_model_saw_no_request_and_the_own_request_is_not_one_of_them():
    sequence = {"title": "Later requests", "variants": ["one", "two"], "metrics": ["f1", "f2"]}
    retrained = run("retrained", left=(0.1, 0.2, 0.7))
    runs = [TARGET, retrained, run("npo"), run("npo", "one", (0.1, 0.8, 0.0)), run("npo", "two", (0.5, 0.2, 0.0))]
    (found,) = verdicts(runs, ["f"], "u", sequence)
    assert found.run.variant == "default"
    assert {one.point: one.values for one in found.recoveries} == {"two/f1": (0.5, 0.1, 0.9)}
    assert found.worst.value == pytest.approx((0.5 - 0.1) / 0.8)


def test_what_was_never_forgotten_cannot_come_back():
    """0.27 is left of the first request by its own, where 0.1 + 0.2 * 0.8 = 0.26 counts as forgotten."""
    for own, reason in ((0.26, None), (0.27, UNFORGOTTEN)):
        runs = [TARGET, RETRAINED, run("npo", left=(own, 0.8, 0.7)), *RUNS[3:5]]
        (found,) = verdicts(runs, ["f"], "u", SEQUENCE)
        values = {one.point: (one.value is None, one.reason) for one in found.recoveries}
        assert values["two/f1"] == values["three/f1"] == (reason is not None, reason)
        assert values["three/f2"] == (False, None)


def test_a_request_that_was_not_reached_and_another_seed_have_no_point():
    told = {one.variant: one for one in with_sequence([*RUNS[:4], run("npo", "three", seed=1)], **SEQUENCE)}
    assert list(told["default"].attacks[NAME]["points"]) == ["two/f1"]
    assert told["two"].attacks == told["three"].attacks == {}


def test_methods_without_later_requests_and_their_attacks_are_left_alone():
    plain = run("graddiff")
    assert with_sequence([plain], **SEQUENCE) == [plain]
    assert verdicts([TARGET, RETRAINED, plain], ["f"], "u", SEQUENCE) == []


def test_the_table_has_a_column(tmp_path):
    save(RUNS, tmp_path, "Made up", ["f"], "u", SEQUENCE)
    text = (tmp_path / "robustness.md").read_text()
    assert "Later requests: recovery" in text
    assert "requests: two/f1" in text
