"""Forgetting and keeping by turns: whose turn it is follows from the step alone."""

from __future__ import annotations

import pytest
import torch

from tests.methods.test_combinations import one
from tests.unlearn.test_combine import combination

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
