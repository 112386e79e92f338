"""Shares and their limits by hand, on the edge too."""

from __future__ import annotations

import pytest

from blur.report.recovery import is_forgotten, is_inverted, is_of_use, recovery, share


@pytest.mark.parametrize(
    ("unlearned", "floor", "target", "expected"),
    [
        (0.5, 0.1, 0.9, 0.5),
        (0.1, 0.1, 0.9, 0.0),
        (0.9, 0.1, 0.9, 1.0),
        (0.0, 0.1, 0.9, 0.0),  # below the retrained model: nothing came back
        (1.0, 0.1, 0.9, 1.0),
        (0.3, 0.2, 0.31, 0.1 / 0.11),
        (0.3, 0.26, 0.35, None),  # 0.09 apart
        (0.3, 0.25, 0.35, 0.5),  # 0.1 apart, but for rounding
        (0.3, 0.2501, 0.35, None),
        (0.3, 0.9, 0.1, None),
        (None, 0.1, 0.9, None),
        (0.5, None, 0.9, None),
        (0.5, 0.1, None, None),
    ],
)
def test_recovery(unlearned, floor, target, expected):
    found = recovery(unlearned, floor, target)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_a_share_may_lie_outside():
    assert share(0.0, 0.25, 0.75) == pytest.approx(-0.5)
    assert share(1.0, 0.25, 0.75) == pytest.approx(1.5)


def test_limits_hold_on_the_edge_whatever_the_rounding():
    for total in (120, 160, 200):
        for right in range(total // 2, total + 1):
            target = right / total
            assert is_forgotten(share(0.25 + 0.2 * (target - 0.25), 0.25, target))
            assert not is_inverted(share(0.25 - 0.2 * (target - 0.25), 0.25, target))
            assert is_of_use(0.9 * target, target)
            assert not is_of_use(0.9 * target - 1e-6, target)
    assert not is_forgotten(0.200001)
    assert is_inverted(-0.200001)
    assert not is_of_use(None, 0.9)
    assert not is_of_use(0.9, None)
