"""What `blur show` says where there is nothing to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.core.errors import ArtifactError
from blur.workflow.show import show

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("scales", "expected"),
    [
        ([], "results/small: no results yet. Type `make run SCALE=small`"),
        (
            ["demo", "small"],
            "results/small: no results yet. Type `make run SCALE=small`, or `blur show --scale demo`,"
            " whose results are here",
        ),
    ],
)
def test_without_results_those_of_other_scales_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scales: list[str], expected: str
) -> None:
    for scale in scales:
        (tmp_path / "results" / scale / "metrics").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError) as error:
        show(Plan(ROOT / "config", {"scale": "small", "task": "tofu"}))
    assert str(error.value) == expected
