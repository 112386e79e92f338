"""Removal of parts: what was put around a model is taken off, and the model from before is measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.attacks.kinds.parts import NONE, Attack
from tests.attacks.same import plain

ATTACK = Attack.model_validate({"arms": {"adapter": "wrapper"}})


def test_the_attack_measures_the_model_without_it(victim, model):
    before = victim.load()
    attacked = replace(victim, bare=lambda: before, load=lambda: pytest.fail("the whole model is not asked for"))
    point = ATTACK.strike("adapter", attacked)[""]
    assert plain(point.measured) == plain(victim.measure(model))


def test_a_model_without_parts_says_so_and_a_reference_is_measured_as_it_is(victim, reference, model):
    assert ATTACK.strike("adapter", victim)[""].measured is None
    assert ATTACK.strike("adapter", victim)[""].about == {"reason": NONE}
    point = ATTACK.strike("adapter", reference)[""]
    assert plain(point.measured) == plain(victim.measure(model))
