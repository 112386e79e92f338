"""What `make demo` promises: the headline methods, BLUR's front against the weighted sum's, two attacks, a few jobs."""

from __future__ import annotations

from pathlib import Path

from blur.config.drawn import drawn as drawn_figures
from blur.config.drawn import figure_runs
from blur.config.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
DEMO, SMALL = (Plan(ROOT / "config", {"scale": scale}) for scale in ("demo", "small"))


def test_the_demo_runs_the_headline_methods_on_the_world_of_small() -> None:
    assert DEMO.tasks == ("tofu",)
    headline = {run.method for run in SMALL.runs("wmdp")}
    assert {run.method for run, _ in DEMO.attacks.pairs("tofu")} == headline | {"target", "retrained"}
    assert DEMO.task("tofu").data == SMALL.task("tofu").data
    for run in DEMO.runs("tofu"):
        assert run in SMALL.runs("tofu")
        assert DEMO.method_settings(run) == SMALL.method_settings(run)


def test_the_demo_has_both_fronts() -> None:
    front, _ = figure_runs(DEMO, "tofu", "front")
    variants = {(run.method, run.variant) for run in front}
    assert variants >= {("blur_npo", name) for name in ("default", "gamma0.25", "gamma4")}
    assert variants >= {("npo_gdr", name) for name in ("default", "lambda0.25", "lambda4")}


def test_the_demo_makes_one_arm_of_each_attack_and_needs_no_optional_library() -> None:
    arms = {name: DEMO.attacks.settings("tofu", name).arms for name in ("relearn", "quantization")}
    assert list(arms["relearn"]) == ["forget_half"]
    assert [arm.name for arm in arms["quantization"].values()] == ["rtn"]
    assert [arm.bits for arm in arms["quantization"].values()] == [4]


def test_figures_of_what_the_demo_does_not_run_are_left_out() -> None:
    drawn = set(drawn_figures(DEMO, "tofu"))
    assert drawn.isdisjoint({"requests", "hierarchy"})
    assert {"tradeoff", "front", "alignment", "cosine_npo", "trajectories", "survives", "relearning"} <= drawn
    assert {"requests", "hierarchy"} <= set(drawn_figures(SMALL, "tofu"))
