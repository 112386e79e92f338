import math

import pytest

from blur.report.fronts import NotComparable, compare, interpolate, pareto


def test_only_points_that_no_other_beats_are_on_the_front() -> None:
    points = [(0.2, 0.1), (0.5, 0.3), (0.4, 0.5), (0.5, 0.35), (0.1, 0.1)]
    assert pareto(points) == [(0.2, 0.1), (0.5, 0.3)]


def test_a_front_is_linear_between_points_and_never_extrapolated() -> None:
    front = [(0.2, 0.1), (0.6, 0.5)]
    assert interpolate(front, 0.3) == pytest.approx(0.2, abs=1e-15)
    for outside in (0.19, 0.61):
        with pytest.raises(ValueError, match="outside"):
            interpolate(front, outside)


def test_difference_of_two_lines_is_taken_within_a_seed() -> None:
    # The target models of two seeds differ by far more than the methods do.
    weighted = {0: [(0.0, 0.0), (1.0, 1.0)], 1: [(0.0, 5.0), (1.0, 6.0)]}
    blur = {s: [(x, y - 0.1 - 0.02 * s) for x, y in line] for s, line in weighted.items()}
    result = compare(blur, weighted, levels=3)
    assert not isinstance(result, NotComparable)
    assert [level.utility for level in result] == [0.0, 0.5, 1.0]
    half = 12.706204736432095 * math.sqrt(2) * 0.01 / math.sqrt(2)
    for level in result:
        assert level.difference.mean == pytest.approx(-0.11, abs=1e-12)
        assert level.difference.half == pytest.approx(half, rel=1e-9)


def test_seeds_without_a_partner_are_left_out() -> None:
    line = [(0.0, 0.0), (1.0, 1.0)]
    result = compare({0: line, 1: line}, {0: line, 2: line}, levels=2)
    assert not isinstance(result, NotComparable)
    assert [level.difference.n for level in result] == [1, 1]
    assert result[0].difference.low is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({0: [(0.1, 0.1), (0.2, 0.2)]}, {0: [(0.3, 0.1), (0.4, 0.2)]}),
        ({0: [(0.1, 0.1)]}, {0: [(0.1, 0.1)]}),
        ({0: [(0.1, 0.1), (0.2, 0.2)]}, {1: [(0.1, 0.1), (0.2, 0.2)]}),
        ({}, {}),
    ],
)
def test_fronts_without_common_utility_are_not_comparable(first: dict, second: dict) -> None:
    assert isinstance(compare(first, second), NotComparable)
