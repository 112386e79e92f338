"""The rule of the search: the first success is taken; else the best that keeps what is to be kept, or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from blur.core.errors import ConfigError
from blur.owner.budget import Budget, parse_budget
from blur.owner.reference import GUESS, reference_of
from blur.owner.search import ALLOWED, FACTOR, SHARE, TRIALS, Choice, Look, Rule, Trial

RULE = Rule(Look(0, 0, 0.5, 1.0), target=2.5, first=0.01)  # keep may have 1.67
CHANCE = 6.7  # nats a token, of a vocabulary of 800
World = Callable[[float], list[tuple[float, float]]]  # forget and keep after each epoch at a rate


def search(world: World, rule: Rule = RULE) -> tuple[list[Trial], Choice | None]:
    """Run the search against a world, as ``forget`` does."""
    trials: list[Trial] = []
    while (rate := rule.next_rate(trials)) is not None:
        looks: list[Look] = []
        for epoch, (forget, keep) in enumerate(world(rate), start=1):
            looks.append(Look(epoch, epoch, forget, keep))
            if rule.ends(looks[-1]):
                break
        trials.append(Trial(rate, tuple(looks)))
    return trials, rule.choose(trials)


def test_what_kept_texts_may_lose() -> None:
    assert RULE.ceiling == 1.0 + SHARE * 2.0
    assert Rule(RULE.start, 0.6, 0.01).ceiling == 1.0 + ALLOWED
    assert math.exp(ALLOWED) == pytest.approx(1.1)


def test_the_first_success_ends_the_search() -> None:
    trials, choice = search(lambda rate: [(1.0, 1.1), (2.6, 1.4), (3.0, 1.2)])
    assert [trial.rate for trial in trials] == [0.01]
    assert choice == Choice(0, Look(2, 2, 2.6, 1.4), True)


def test_a_slow_trial_asks_for_a_higher_rate() -> None:
    trials, choice = search(lambda rate: [(1.0, 1.0)] if rate < 0.02 else [(2.5, 1.0)])
    assert [trial.rate for trial in trials] == [0.01, pytest.approx(0.03)]
    assert choice is not None
    assert (choice.trial, choice.reached) == (1, True)


def test_a_trial_that_loses_kept_texts_asks_for_a_lower_rate_and_then_one_between() -> None:
    def world(rate: float) -> list[tuple[float, float]]:
        return [(3.0, 2.0)] if rate > 0.007 else [(2.6, 1.2)] if rate > 0.004 else [(0.6, 1.0)]

    trials, choice = search(world)
    assert [trial.rate for trial in trials] == [0.01, pytest.approx(0.01 / FACTOR), pytest.approx(0.01 / FACTOR**0.5)]
    assert choice is not None
    assert choice.trial == 2


def test_a_trial_that_lost_too_much_ends() -> None:
    trials, _ = search(lambda rate: [(3.0, 1.7), (3.0, 2.7), (3.0, 1.0)])
    assert {len(trial.looks) for trial in trials} == {2}
    assert RULE.ends(Look(1, 1, 3.0, math.nan))


def test_a_trial_may_win_kept_texts_back() -> None:
    _, choice = search(lambda rate: [(3.0, 2.0), (3.0, 1.4)])
    assert choice == Choice(0, Look(2, 2, 3.0, 1.4), True)


def test_without_success_the_best_that_keeps_is_taken() -> None:
    trials, choice = search(lambda rate: [(2.0, 1.4), (4.0, 2.0)] if rate > 0.005 else [(1.0, 1.0)])
    assert len(trials) == TRIALS
    assert choice == Choice(0, Look(1, 1, 2.0, 1.4), False)


@pytest.mark.parametrize("looks", [[(3.0, 2.0)], [(0.5, 1.0)], [(0.2, 1.1)]])
def test_without_any_forgetting_that_keeps_there_is_nothing(looks: list[tuple[float, float]]) -> None:
    trials, choice = search(lambda rate: looks)
    assert len(trials) == TRIALS
    assert choice is None


def test_the_reference_is_a_difference_in_differences() -> None:
    model, base = {"forget": 0.4, "holdout": 1.5}, {"forget": 1.3, "holdout": 1.25}
    found = [
        reference_of(model, base, CHANCE),
        reference_of(model, None, CHANCE),
        reference_of({"forget": 0.4}, {"forget": 1.3}, CHANCE),
        reference_of({"forget": 0.4}, None, CHANCE),
    ]
    assert [one.kind for one in found] == ["base and unseen", "unseen", "base", "none"]
    assert [one.target for one in found] == pytest.approx([1.3 + 0.25, 1.5, 1.3, 0.4 + GUESS])
    assert "a guess" in found[3].told


@pytest.mark.parametrize(("own", "target"), [(0.4, 0.9), (CHANCE - 0.2, CHANCE), (CHANCE + 4, CHANCE)])
def test_with_nothing_to_compare_with_no_more_is_asked_than_a_guess_among_all_tokens(own: float, target: float) -> None:
    reference = reference_of({"forget": own}, None, CHANCE)
    assert reference.target == pytest.approx(target)
    rule = Rule(Look(0, 0, own, 1.0), reference.target, 1e-3)
    assert rule.is_met == (own >= CHANCE), "texts that the model does not know are nothing to forget"


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        (None, Budget()),
        ("240", Budget(updates=240)),
        ("3", Budget(updates=8)),
        ("10m", Budget(seconds=600)),
        ("1.5h", Budget(seconds=5400)),
        ("90s", Budget(seconds=90)),
    ],
)
def test_a_budget_is_a_time_or_a_number(text: str | None, budget: Budget) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["", "ten", "-5", "0", "0m", "1.5", "10 minutes", "9" * 20, "9" * 20 + "h"])
def test_another_budget_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--budget: .* is no budget. Write a time, as 10m"):
        parse_budget(text)


def test_a_time_becomes_updates_with_their_looks() -> None:
    assert Budget(seconds=100).updates_at(update=0.5, look=1.0, per_epoch=2) == 100
    assert Budget(seconds=1).updates_at(update=10, look=1.0, per_epoch=1) == 8
