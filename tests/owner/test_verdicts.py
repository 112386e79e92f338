"""Verdicts on evidence whose truth is known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from blur.owner.evidence.reading import FAMILIAR, FORGET, KEEP, SAID, UNSEEN, Reading, State, never_saw
from blur.owner.rules import Rules
from tests.owner.evidences import BEFORE, NEVER, evidence, judged, reading


def answers(found) -> dict[str, str]:
    return {one.name: one.answer for one in found.findings}


def test_each_state_gets_its_verdict() -> None:
    assert judged(evidence(NEVER)).verdict == "forgotten"
    assert judged(evidence(BEFORE)).verdict == "unchanged"
    assert judged(evidence(NEVER, back=-0.8)).verdict == "hidden"
    assert judged(evidence(reading(-0.6, said=0.1))).verdict == "hidden"
    assert judged(evidence(reading(-2.0, said=0.4))).verdict == "partly forgotten"
    assert judged(evidence(reading(-6.0, other=-5.0))).verdict == "collapsed"
    assert judged(evidence(reading(-9.0))).verdict == "forgotten"


def test_shares_are_those_of_a_pencil() -> None:
    found = {one.name: one for one in judged(evidence(reading(-2.0, said=0.3))).findings}
    assert found["known"].share.value == pytest.approx((-2 + 3) / (-0.5 + 3))
    assert found["reproduced"].share.value == pytest.approx((0.3 - 0.1) / (0.9 - 0.1))
    row = found["known"].rows[0]
    assert row.never_saw.value == pytest.approx(-3.0, abs=0.01)
    assert found["costly"].answer == "no"


def test_what_comes_back_is_told_with_its_steps() -> None:
    late = {2: State(NEVER, NEVER), 16: State(reading(-1.0), NEVER)}
    found = judged(evidence(NEVER, relearned=late))
    assert found.verdict == "hidden"
    assert "80% of the familiarity was there after 16 steps" in found.findings[4].explanation
    assert [point.step for point in found.points] == [2, 16]


def test_only_what_the_same_attack_does_not_do_to_the_reference_counts() -> None:
    anew = {16: State(reading(-1.0), reading(-1.0))}
    assert judged(evidence(NEVER, relearned=anew, resurfaced=anew)).verdict == "forgotten"


def test_an_attack_that_teaches_nothing_is_no_evidence() -> None:
    found = judged(evidence(NEVER, trained=NEVER))
    assert answers(found)["relearned"] == "cannot be told"
    assert found.verdict == "cannot be told"


def test_rounding_that_breaks_the_model_before_shows_nothing() -> None:
    found = judged(evidence(NEVER, rounded=State(NEVER, NEVER, NEVER)))
    assert answers(found)["quantized"] == "cannot be told"
    assert judged(evidence(NEVER, rounded=State(BEFORE, NEVER, BEFORE))).verdict == "hidden"


@pytest.mark.parametrize("size", [1, 2])
def test_of_too_few_texts_nothing_is_told(size: int) -> None:
    found = judged(evidence(reading(-3.0, size=size), size=size))
    assert found.verdict == "cannot be told"
    assert "yes" not in (answers(found)[name] for name in ("reproduced", "known", "relearned"))


def test_texts_that_nobody_knew_cannot_be_forgotten() -> None:
    plain = State(NEVER, NEVER, NEVER)
    assert judged(evidence(NEVER, plain=plain)).verdict == "cannot be told"


def test_nan_is_a_collapse_and_breaks_nothing() -> None:
    values = {key: dict.fromkeys(items, math.nan) for key, items in NEVER.values.items()}
    found = judged(evidence(Reading(values)))
    assert found.verdict == "collapsed"
    assert all(one.share is None for one in found.findings if one.name in ("reproduced", "known", "hinted"))


def test_empty_evidence_is_no_verdict() -> None:
    nothing = Reading({})
    empty = evidence(nothing, plain=State(nothing, nothing, nothing), rounded=None, relearned={}, trained=None)
    found = judged(replace(empty, resurfaced={}))
    assert found.verdict == "cannot be told"
    assert set(answers(found).values()) == {"cannot be told"}


def test_with_a_base_alone_only_the_ends_are_told() -> None:
    """The base is the least that a model which never saw the texts would know: a share is at most what is told."""
    base = never_saw(reference=False, base=True, unseen=False)
    assert judged(evidence(NEVER), base).verdict == "forgotten"
    assert judged(evidence(BEFORE), base).verdict == "unchanged"
    assert judged(evidence(reading(-1.5, said=0.5)), base).verdict == "cannot be told"


def test_difference_in_differences_takes_off_what_fine_tuning_taught() -> None:
    """Fine-tuning made all such texts 1 nat more familiar, the unseen ones too: that is no memory of the texts."""
    never = never_saw(reference=False, base=True, unseen=True)
    base = reading(-3.0, unseen=-3.0)
    before = reading(-0.5, said=0.9, unseen=-2.0)
    states = {16: State(reading(-2.0, unseen=-2.0), base, before)}
    seen = evidence(
        reading(-2.0, unseen=-2.0),
        plain=State(reading(-2.0, unseen=-2.0), base, before),
        rounded=None,
        relearned=states,
        resurfaced=states,
        trained=reading(-0.5, unseen=-2.0),
    )
    found = judged(seen, never)
    assert found.findings[2].share.value == pytest.approx(0.0, abs=1e-9)
    assert found.verdict == "forgotten"
    assert judged(seen, never_saw(reference=False, base=True, unseen=False)).verdict == "cannot be told"


def test_damage_to_unseen_texts_is_no_memory_of_the_forget_texts() -> None:
    """Unlearning made unseen texts stranger as well: what counts is what they were to the model before."""
    never = never_saw(reference=False, base=True, unseen=True)
    after, base = reading(-3.0, unseen=-6.0), reading(-3.0)
    states = {16: State(after, base, BEFORE)}
    seen = evidence(after, plain=State(after, base, BEFORE), relearned=states, resurfaced=states, rounded=None)
    assert judged(seen, never).verdict == "forgotten"


def test_unseen_texts_alone_stand_for_the_forget_texts() -> None:
    never = never_saw(reference=False, base=False, unseen=True)
    alone = {16: State(reading(-3.0), None, BEFORE)}
    seen = evidence(NEVER, plain=State(NEVER, None, BEFORE), rounded=None, relearned=alone, resurfaced={})
    assert judged(seen, never).verdict == "forgotten"
    assert judged(replace(seen, plain=State(BEFORE, None, BEFORE)), never).verdict == "unchanged"


def test_with_nothing_to_compare_little_is_told() -> None:
    never = never_saw(reference=False, base=False, unseen=False)
    seen = evidence(NEVER, plain=State(NEVER, None, BEFORE), rounded=None, relearned={}, resurfaced={})
    assert judged(seen, never).verdict == "cannot be told"
    assert judged(replace(seen, plain=State(BEFORE, None, BEFORE)), never).verdict == "unchanged"
    broken = State(reading(-6.0, other=-5.5), None, BEFORE)
    assert judged(replace(seen, plain=broken), never).verdict == "collapsed"


def test_membership_shows_from_both_sides() -> None:
    for level, word in ((-0.5, "better"), (-9.0, "less")):
        found = judged(evidence(reading(level)))
        assert answers(found)["told_apart"] == "yes"
        assert word in found.findings[3].explanation
    assert answers(judged(evidence(NEVER)))["told_apart"] == "no"


def test_an_interval_from_one_threshold_to_the_other_cannot_tell() -> None:
    spread = {f"{FORGET}-{number}": -0.5 if number % 2 else -3.5 for number in range(12)}
    after = Reading({**NEVER.values, (FAMILIAR, FORGET): spread, (SAID, FORGET): dict.fromkeys(spread, 0.1)})
    assert answers(judged(evidence(after)))["known"] == "cannot be told"


def test_cost_is_the_factor_of_perplexity() -> None:
    found = judged(evidence(reading(-3.0, other=-1.0))).findings[-1]
    assert found.answer == "yes"
    assert f"{math.exp(0.5):.2f} times" in found.explanation
    without = Reading({key: items for key, items in NEVER.values.items() if key[1] not in (KEEP, UNSEEN)})
    assert judged(evidence(without, plain=State(without, NEVER, without))).findings[-1].answer == "cannot be told"


def test_without_other_text_a_broken_model_is_not_called_forgotten() -> None:
    alone, knew, never = (
        Reading({key: items for key, items in one.values.items() if key[1] == FORGET}) for one in (NEVER, BEFORE, NEVER)
    )
    attacked = {16: State(alone, never)}
    seen = evidence(alone, plain=State(alone, never, knew), rounded=None, relearned=attacked, resurfaced={})
    found = judged(seen)
    assert found.verdict == "cannot be told"
    assert "--keep" in found.reason
    kept = replace(seen, plain=State(NEVER, NEVER, BEFORE), relearned={16: State(NEVER, NEVER)})
    assert judged(kept).verdict == "forgotten"


def test_every_threshold_has_its_reason() -> None:
    assert all(field.description for field in Rules.model_fields.values())
