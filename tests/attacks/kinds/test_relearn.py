"""Relearning: what is trained on, what is measured, and that nothing else is touched."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError

from blur.attacks.kinds.relearn import Attack, part_of
from blur.attacks.point import UNKNOWN
from tests.attacks.same import plain

SETTINGS = {
    "data": {"forget": ["forget"], "others": ["others"]},
    "at": [1, 3],
    "batch_size": 4,
    "optimizer": {"name": "sgd", "lr": 0.5},
    "max_grad_norm": None,
    "arms": {
        "half": {"data": "forget", "fraction": 0.5},
        "lora": {"data": "forget", "wrapper": {"name": "lora", "rank": 2}, "optimizer": {"name": "adamw", "lr": 0.05}},
        "others": {"data": "others"},
    },
}


@pytest.fixture
def attack() -> Attack:
    return Attack.model_validate(SETTINGS)


def summed(point):
    return sum(score.logprob.sum() for score in point.measured.likelihood("forget", "answer"))


def test_points_are_the_steps_asked_for_and_each_step_changes_the_model(attack, victim):
    before = victim.measure(victim.load().model)
    points = attack.strike("half", victim)
    assert list(points) == ["step1", "step3"]
    assert [point.about["step"] for point in points.values()] == [1, 3]
    start = sum(score.logprob.sum() for score in before.likelihood("forget", "answer"))
    assert start < summed(points["step1"]) < summed(points["step3"])


def test_one_step_is_plain_gradient_descent_on_what_was_chosen(attack, victim, model):
    """Against autograd alone, on all records of the half in one batch."""
    settings = {**SETTINGS, "at": [1], "batch_size": 6}
    point = Attack.model_validate(settings).strike("half", victim)["step1"]
    records = part_of(victim.records(["forget"]), 0.5, 0)
    assert len(records) == 6
    mine = copy.deepcopy(model).double()
    examples = victim.examples(victim.load(), records)
    total = sum(
        mine(torch.tensor([one.input_ids]), labels=torch.tensor([one.labels])).loss
        * sum(label >= 0 for label in one.labels)
        for one in examples
    )
    (total / sum(label >= 0 for one in examples for label in one.labels)).backward()
    with torch.no_grad():
        for parameter in mine.parameters():
            parameter -= 0.5 * parameter.grad
    expected = victim.measure(mine.float()).likelihood("forget", "answer")
    for score, other in zip(point.measured.likelihood("forget", "answer"), expected, strict=True):
        assert score.logprob == pytest.approx(other.logprob, abs=2e-4)


@pytest.mark.parametrize("arm", ["half", "lora", "others"])
def test_the_attacked_model_is_left_as_it_was_and_twice_gives_the_same(attack, victim, model, arm):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first, second = attack.strike(arm, victim), attack.strike(arm, victim)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    for name, point in first.items():
        assert plain(point.measured) == plain(second[name].measured)


def test_an_arm_with_an_adapter_trains_the_adapter_alone_at_the_arms_own_rate(attack, victim, model):
    loaded = victim.load()
    points = attack.strike("lora", replace(victim, load=lambda: loaded))
    assert summed(points["step1"]) < summed(points["step3"])
    before = model.state_dict()
    changes = {name: tensor - before[name] for name, tensor in loaded.model.state_dict().items()}
    ranks = {
        name: int(torch.linalg.matrix_rank(change.double(), atol=1e-4))
        for name, change in changes.items()
        if change.any()
    }
    assert all(name.endswith("proj.weight") for name in ranks)
    assert set(ranks.values()) == {2}
    told = attack.recipe("lora").optimizer
    assert (told.name, told.lr) == ("adamw", 0.05)
    assert attack.recipe("half").optimizer.name == "sgd"


def test_an_arm_set_to_null_is_left_out():
    without = {**SETTINGS, "arms": {**SETTINGS["arms"], "lora": None}}
    assert list(Attack.model_validate(without).arms) == ["half", "others"]
    with pytest.raises(ValidationError, match="no arm is left"):
        Attack.model_validate({**SETTINGS, "arms": {"half": None}})


def test_used_are_the_entities_trained_on(attack, victim):
    used = attack.strike("half", victim)["step1"].used
    assert len(used) == 2
    assert used < {"Ann", "Bo", "Cyril", "Dora"}
    assert attack.strike("others", victim)["step1"].used == {"o0", "o1", "o2", "o3"}


def test_where_one_record_used_has_no_group_nobody_knows_whom_they_are_about(attack, victim):
    bare = [dict(record) for record in victim.sets["forget"]]
    del bare[-1]["group"]
    whole = Attack.model_validate({**SETTINGS, "arms": {"all": {"data": "forget"}}})
    some = replace(victim, records=lambda names: bare)
    told = [attack.strike("half", victim), attack.strike("others", victim), whole.strike("all", some)]
    assert [[UNKNOWN in point.about for point in points.values()] for points in told] == [
        [False] * 2,
        [True] * 2,
        [True] * 2,
    ]


def test_every_arm_has_float32_masters_unless_told_otherwise(attack):
    assert all(attack.recipe(arm).master_weights for arm in attack.arms)
    without = Attack.model_validate({**SETTINGS, "master_weights": False})
    assert not any(without.recipe(arm).master_weights for arm in without.arms)


def test_small_steps_move_a_bfloat16_model_as_far_as_a_float32_one(victim, model, encoding):
    rounded = copy.deepcopy(model).bfloat16()
    settings = {"optimizer": {"name": "adamw", "lr": 1e-4}, "at": [30], "arms": {"all": {"data": "forget"}}}
    attack = Attack.model_validate({**SETTINGS, **settings})

    def gain(dtype):
        own = replace(
            victim,
            load=lambda: SimpleNamespace(
                model=copy.deepcopy(rounded).to(dtype), tokenizer=encoding[0], template=encoding[1]
            ),
            measure=lambda attacked: victim.measure(copy.deepcopy(attacked).float()),
        )
        (point,) = attack.strike("all", own).values()
        return summed(point) - sum(score.logprob.sum() for score in own.measure(rounded).likelihood("forget", "answer"))

    assert gain(torch.bfloat16) == pytest.approx(gain(torch.float32), rel=0.1)


@pytest.mark.parametrize(
    ("number", "fraction", "expected"), [(100, 0.07, 7), (100, 0.55, 55), (50, 0.14, 7), (100, 0.071, 8)]
)
def test_a_share_is_rounded_up_from_its_decimal(number, fraction, expected):
    assert len(part_of([{"id": str(place)} for place in range(number)], fraction, seed=0)) == expected


def test_a_larger_share_holds_the_smaller_one_and_entities_stay_whole(victim):
    records = victim.records(["forget"])
    shares = [part_of(records, fraction, seed=3) for fraction in (0.01, 0.25, 0.5, 0.75, 1.0)]
    assert [len(share) for share in shares] == [3, 3, 6, 9, 12]
    for smaller, larger in pairwise(shares):
        assert all(record in larger for record in smaller)
    assert part_of(records, 0.25, seed=3) != part_of(records, 0.25, seed=0)


def test_where_there_is_nothing_to_learn_the_arm_says_so(attack, victim):
    (point,) = attack.strike("others", replace(victim, records=lambda names: [])).values()
    assert point.measured is None
    assert point.about == {"reason": "the task has no records of others"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"at": []}, "at"),
        ({"at": [3, 1]}, "rising"),
        ({"at": [0, 1]}, "greater than or equal to 1"),
        ({"arms": {"a": {"data": "elsewhere"}}}, "elsewhere"),
        ({"arms": {"a": {"data": "forget", "fraction": 0}}}, "fraction"),
        ({"arms": {"a": {"data": "forget", "lr": 1}}}, "lr"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        Attack.model_validate({**SETTINGS, **changes})


@pytest.mark.parametrize(
    "arm", [{"scope": "saliency"}, {"wrapper": "lora", "scope": {"name": "modules", "patterns": ["x"]}}]
)
def test_an_arm_is_refused_what_a_method_is(arm):
    with pytest.raises(ValueError, match="arm 'odd': `scope"):
        Attack.model_validate({**SETTINGS, "arms": {"odd": {"data": "forget", **arm}}})
