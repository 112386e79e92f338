"""Forgetting and keeping by turns: whose turn it is follows from the step alone."""

from __future__ import annotations

import pytest
import torch

from blur.unlearn.loop import train
from tests.methods.test_combinations import one
from tests.unlearn.support import examples, settings, tiny_model
from tests.unlearn.test_combine import combination
from tests.unlearn.test_topics import of_topics

F, R = [3.0, -1.0, 2.0], [1.0, 4.0, -2.0]
LAM = 0.5


def turns(forget_steps: int, retain_steps: int, steps: int) -> str:
    """Whose turn each step is: f, r, or ? for an update that is neither gradient."""
    combine = combination("turns", forget_steps=forget_steps, retain_steps=retain_steps, lam=LAM)
    found = ""
    for step in range(1, steps + 1):
        u, told, f, r = one(combine, F, R, step=step)
        found += "f" if torch.equal(u, f) else "r" if torch.equal(u, LAM * r) else "?"
        assert told.promise == pytest.approx((f @ u).item(), rel=1e-12)
        assert told.inner == pytest.approx((f @ r).item(), rel=1e-12), "both are known at every step"
    return found


@pytest.mark.parametrize(
    ("forget_steps", "retain_steps", "expected"),
    [(1, 1, "frfrfrfr"), (2, 3, "ffrrrffr"), (3, 10**6, "fffrrrrr"), (10**6, 1, "ffffffff")],
)
def test_steps_take_turns_and_a_long_turn_is_a_phase(forget_steps: int, retain_steps: int, expected: str) -> None:
    assert turns(forget_steps, retain_steps, len(expected)) == expected


def test_a_turn_of_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="forget_steps"):
        combination("turns", forget_steps=0)


@pytest.mark.parametrize(("topics", "steps"), [({"bio": 4, "cyber": 4}, 8), ({"bio": 3, "cyber": 2, "chem": 2}, 12)])
def test_every_topic_is_forgotten_and_none_is_only_kept(topics: dict[str, int], steps: int) -> None:
    """Topics take turns too: with two of them, every second step alone would forget one and never the other."""
    parts = {"forget": of_topics(topics), "retain": examples(5, "r")}
    chosen = settings("ga", "nll", "turns", optimizer={"name": "sgd", "lr": 1e-6}, batch_size=2, steps=steps)
    records = train(tiny_model(), parts, chosen).records
    is_forgetting = [record["update_forget_cosine"] > 1 - 1e-9 for record in records]
    seen = [(step % len(topics), turn) for step, turn in enumerate(is_forgetting)]
    assert sorted(set(seen)) == [(topic, turn) for topic in range(len(topics)) for turn in (False, True)]
