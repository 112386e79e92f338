"""What an unlearning run reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blur.config.task import Run
from blur.core.errors import DataError
from blur.stages import sets, unlearn
from blur.unlearn.settings import UnlearnSettings


def test_a_request_without_records_is_named_with_its_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "read_sets", lambda data, sets: [])
    settings = {"streams": {"forget": {"": ["request_2"]}, "retain": {}}, "max_length": 8, "texts": "documents"}
    job: Any = SimpleNamespace(data=Path("data/ci/tofu"), settings=settings, run=Run("tofu", "ga", "sust2"))
    with pytest.raises(DataError, match=r"data/ci/tofu: request_2: there are no records.*tofu/ga/sust2/seed0 out of"):
        unlearn._streams(job, None, UnlearnSettings(forget=[{"loss": "ga"}], epochs=1))  # type: ignore[arg-type]
