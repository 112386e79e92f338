"""Whether results mean something: each fault that would make them worthless is planted once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.report.meaning import checks, findings
from blur.report.runs import Run

JUDGES = {"forget": ("forget_probability",), "utility": "model_utility"}
LEVELS = {  # forget probability, model utility, probability on texts that neither saw
    "target": (0.99, 0.80, 0.33),
    "retrained": (0.34, 0.79, 0.32),
    "npo_gdr": (0.40, 0.75, 0.31),
    "rmu": (0.90, 0.79, 0.33),
    "graddiff": (0.01, 0.20, 0.01),
}


def run(method: str, seed: int = 0, **changes: float | None) -> Run:
    names = ("forget_probability", "model_utility", "holdout_probability")
    metrics = dict(zip(names, LEVELS[method], strict=True)) | changes
    title = {"npo_gdr": "NPO-GDR", "rmu": "RMU", "graddiff": "GradDiff"}.get(method, method.capitalize())
    return Run(method, title, method, "default", seed, {}, metrics)


def all_runs(**changed: Run) -> list[Run]:
    return [changed.get(method) or run(method) for method in LEVELS]


def verdict(runs: list[Run], unseen: str | None = "holdout_probability") -> list[bool]:
    return [check.holds for check in checks(runs, unseen=unseen, **JUDGES)]  # type: ignore[arg-type]


def test_sound_results_hold() -> None:
    assert verdict(all_runs()) == [True, True, True]
    assert verdict(all_runs(), unseen=None) == [True, True]
    first = checks(all_runs(), unseen="holdout_probability", **JUDGES)[0]  # type: ignore[arg-type]
    assert first.text == (
        "The target knows what is to be forgotten (0.99), the retrained model does not (0.34; not knowing gives 0.32)."
    )


@pytest.mark.parametrize(
    ("method", "changes", "failing"),
    [
        ("target", {"forget_probability": 0.80}, 0),  # it has not learned what is to be forgotten
        ("retrained", {"forget_probability": 0.50}, 0),  # it has seen it
        ("retrained", {"forget_probability": 0.10}, 0),  # it knows less than nothing of it
        ("target", {"forget_probability": None}, 0),
        ("target", {"holdout_probability": 0.45}, 1),  # the target has seen what nobody should
        ("target", {"holdout_probability": None}, 1),
        ("retrained", {"model_utility": 0.70}, 2),  # one of them is less of use
        ("target", {"model_utility": 0.70}, 2),
        ("target", {"model_utility": None}, 2),
    ],
)
def test_a_fault_is_told(method: str, changes: dict[str, float | None], failing: int) -> None:
    held = verdict(all_runs(**{method: run(method, **changes)}))
    assert not held[failing]
    assert sum(held) == 2


def test_without_unseen_texts_target_and_retrained_model_have_to_differ() -> None:
    assert verdict(all_runs(retrained=run("retrained", forget_probability=0.95)), unseen=None) == [False, True]


def test_without_a_retrained_model_nothing_is_told() -> None:
    alone = [one for one in all_runs() if one.method != "retrained"]
    assert checks(alone, **JUDGES) == []  # type: ignore[arg-type]
    assert findings(alone, **JUDGES) == []  # type: ignore[arg-type]


def test_methods_are_told_apart_by_what_they_forgot_and_kept() -> None:
    lines = findings(all_runs(), **JUDGES)  # type: ignore[arg-type]
    assert lines == [
        "Forgot 80% or more, and kept 90% of the target's utility: NPO-GDR.",
        "Did not: GradDiff, RMU.",
        "One seed a method: small differences between methods may be chance.",
    ]


def test_with_several_seeds_their_mean_counts_and_nothing_is_said_of_one() -> None:
    seeds = [run("npo_gdr", 1, forget_probability=0.99), *(run(m, 1) for m in ("rmu", "graddiff"))]
    lines = findings([*all_runs(), *seeds], **JUDGES)  # type: ignore[arg-type]
    assert lines[0].endswith("none.")
    assert len(lines) == 2


def test_a_seed_that_collapsed_is_not_made_up_for() -> None:
    gone = [run("npo_gdr", seed, forget_probability=None) for seed in (1, 2)]
    assert findings([*all_runs(), *gone], **JUDGES)[0].endswith("none.")  # type: ignore[arg-type]


@pytest.mark.parametrize(("known", "unseen", "holds"), [(0.85, 0.25, True), (0.84, 0.25, False)])
def test_limits_hold_on_the_edge(known: float, unseen: float, holds: bool) -> None:
    levels = {"target": (known, 0.8, unseen), "retrained": (unseen, 0.8, unseen)}
    runs = [
        run(name, forget_probability=one, model_utility=two, holdout_probability=three)
        for name, (one, two, three) in levels.items()
    ]
    assert verdict(runs)[0] is holds
    apart = [runs[0], run("retrained", forget_probability=unseen, model_utility=0.8, holdout_probability=unseen + 0.1)]
    assert not verdict(apart)[1], "a tenth apart says something"


def attacked(method: str, level: float, variant: str = "default", seed: int = 0) -> Run:
    points = {"half/step5": {"arm": "half", "step": 5, "judged": {"all": level}, "metrics": {}}}
    told = {"attack": "relearn", "title": "Relearning", "items": "all", "chance": None, "arms": ["half"]}
    return replace(run(method, seed), variant=variant, attacks={"relearn": {**told, "points": points}})


def test_what_came_back_is_told_of_default_variants_and_of_the_worst_seed() -> None:
    levels = {"target": 1.0, "retrained": 0.4, "npo_gdr": 0.55}
    runs = [attacked(*item) for item in levels.items()]
    told = findings([*runs, attacked("npo_gdr", 1.0, "lambda9"), attacked("npo_gdr", 0.7, seed=1)], **JUDGES)  # type: ignore[arg-type]
    assert "Of that the worst attack brought back: NPO-GDR 50%." in told


def test_what_came_back_is_told_of_methods_that_forgot() -> None:
    levels = {"target": 1.0, "retrained": 0.4, "npo_gdr": 0.55, "rmu": 0.9, "graddiff": 0.4}
    lines = findings([attacked(*item) for item in levels.items()], **JUDGES)  # type: ignore[arg-type]
    assert "Of that the worst attack brought back: NPO-GDR 25%." in lines
