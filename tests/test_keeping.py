"""What a run keeps before Snakemake deletes it, and what it forgets at its end."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blur.core import kept, manifest
from blur.workflow import keeping

KEY = {"settings": {"gamma": 1.0}, "code": "abc"}
OTHER = {**KEY, "code": "edited"}
MODEL = Path("results/ci/models/tofu/npo/default/seed0")


@pytest.fixture(autouse=True)
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    MODEL.mkdir(parents=True)
    (MODEL / "weights").write_text("w")
    manifest.write(MODEL, "unlearn", KEY, ["weights"], {})


def job(key: dict[str, Any]) -> Any:
    """One of Snakemake's, as much of it as is looked at."""
    params = SimpleNamespace(key=json.dumps(key))
    return SimpleNamespace(output=[f"{MODEL}/manifest.json"], params=params, rule=SimpleNamespace(name="unlearn"))


@pytest.mark.parametrize(("key", "forced", "expected"), [(KEY, False, [MODEL]), (OTHER, False, []), (KEY, True, [])])
def test_a_planned_result_is_kept_if_it_is_of_the_same_key(key: dict, forced: bool, expected: list[Path]) -> None:
    keeping.keep_planned([job(key)], forced)
    assert list(kept.kept(Path("results/ci"))) == expected


def test_a_person_who_forces_a_job_gets_it_made_again() -> None:
    kept.keep(MODEL)
    keeping.keep_planned([job(KEY)], forced=True)
    assert list(kept.kept(Path("results/ci"))) == []


def mark() -> Path:
    path = kept.record_path(kept.INCOMPLETE, f"{MODEL}/manifest.json")
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.mark.parametrize("change", [mark, lambda: (MODEL / "manifest.json").unlink()], ids=["not recorded", "deleted"])
def test_what_is_not_recorded_or_not_in_its_place_stays_kept(change: Any) -> None:
    kept.keep(MODEL)
    change()
    keeping.forget_recorded("ci")
    assert list(kept.kept(Path("results/ci"))) == [MODEL]
    keeping.forget_recorded("small")
    assert list(kept.kept(Path("results/ci"))) == [MODEL]


@pytest.mark.parametrize("change", [lambda: None, lambda: (kept.KEPT / MODEL / "manifest.json").unlink()])
def test_what_is_recorded_or_kept_in_part_is_forgotten(change: Any) -> None:
    kept.keep(MODEL)
    change()
    keeping.forget_recorded("ci")
    assert not kept.KEPT.exists()
