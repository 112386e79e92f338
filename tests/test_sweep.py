"""The score of a sweep: closed forms at its corners."""

import pytest

from blur.config.schema import Judges
from blur.core.errors import ArtifactError
from blur.report.runs import Run
from blur.workflow.sweep import score


def run(forget: float, utility: float) -> Run:
    return Run("m", "M", "f", "default", 0, {}, {"forget_probability": forget, "model_utility": utility})


TARGET, RETRAINED = run(0.9, 0.6), run(0.1, 0.58)
JUDGES = Judges(forget=("forget_probability",), utility="model_utility")


@pytest.mark.parametrize(
    ("forget", "utility", "expected"),
    [
        (0.9, 0.6, 0.5),  # the target itself: all utility, nothing forgotten
        (0.1, 0.6, 1.0),
        (0.0, 0.6, 1.0),  # below the retrained model earns nothing
        (0.0, 0.0, 0.5),  # a dead model
        (0.5, 0.3, 0.5),
        (0.1, 0.9, 1.0),  # nor does more utility than the target's
    ],
)
def test_corners(forget: float, utility: float, expected: float) -> None:
    assert score(forget, utility, TARGET, RETRAINED, JUDGES) == pytest.approx(expected)


def test_a_target_that_knows_nothing_cannot_judge() -> None:
    with pytest.raises(ArtifactError, match="no better than the retrained"):
        score(0.1, 0.5, RETRAINED, TARGET, JUDGES)


@pytest.mark.parametrize(("forget", "utility"), [(None, 0.6), (0.1, None)])
def test_a_value_that_is_not_defined_earns_nothing(forget: float | None, utility: float | None) -> None:
    assert score(forget, utility, TARGET, RETRAINED, JUDGES) == 0.0
