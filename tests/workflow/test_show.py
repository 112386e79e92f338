"""What `blur show` says where there is nothing to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.core.errors import ArtifactError
from blur.workflow.show import show

ROOT = Path(__file__).resolve().parents[2]


def test_models_that_nobody_has_measured_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for run in ("target/default/seed0", "npo_gdr/default/seed0"):
        (tmp_path / "results/small/models/tofu" / run).mkdir(parents=True)
        (tmp_path / "results/small/models/tofu" / run / "manifest.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    show(Plan(ROOT / "config", {"scale": "small", "task": "tofu"}))
    told = capsys.readouterr().out
    assert "tofu: made, and not measured yet: target/default/seed0, npo_gdr/default/seed0.\n" in told
    assert "No results yet" not in told


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
