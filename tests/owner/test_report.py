"""The report's form, and what its exit code depends on."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest

from blur.core.errors import ConfigError
from blur.core.files import read_json
from blur.owner import fail_on
from blur.owner.auditing import _whole, told, write_report
from blur.owner.report import Name, Report
from blur.owner.schema import report_schema
from tests.owner.evidences import BEFORE, NEVER, evidence, judged, report

ROOT = Path(__file__).parents[2]


def test_the_schema_is_that_of_the_model() -> None:
    assert read_json(ROOT / "workflow/schemas/report.schema.json") == report_schema(), "type `blur schemas`"


def test_a_written_report_is_read_again_and_fits_its_schema(tmp_path: Path) -> None:
    made = report(judged(evidence(NEVER, back=-0.8)))
    write_report(tmp_path, made)
    stored = read_json(tmp_path / "report.json")
    assert Report.model_validate(stored) == made
    schema = report_schema()
    assert set(stored) == set(schema["properties"])
    assert set(schema["required"]) <= set(stored)
    assert {one["name"] for one in stored["findings"]} == set(get_args(Name))
    json.dumps(stored, allow_nan=False)


def test_exit_codes_follow_what_was_found() -> None:
    unchanged, forgotten, hidden = (
        report(judged(found)) for found in (evidence(BEFORE), evidence(NEVER), evidence(NEVER, back=-0.8))
    )
    names = fail_on.parse("reproduced, relearned,hidden")
    assert fail_on.failed(unchanged, names) == ["reproduced"]
    assert fail_on.failed(forgotten, names) == []
    assert fail_on.failed(hidden, names) == ["relearned", "hidden"]
    assert fail_on.failed(forgotten, fail_on.parse("undecided,partly")) == []


@pytest.mark.parametrize(
    ("given", "remedy"), [("reproducd", "'reproduced'"), ("", "Known"), ("hidden,,xyzzy", "Known")]
)
def test_unknown_names_are_refused(given: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy):
        fail_on.parse(given)


def test_what_is_printed_has_the_verdict_and_each_answer() -> None:
    lines = told(report(judged(evidence(NEVER)))).splitlines()
    assert lines[0].startswith("Forgotten")
    assert len(lines) == 2 + len(get_args(Name))


def test_the_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    out = tmp_path / "report"
    with suppress(ZeroDivisionError), _whole(out) as folder:
        (folder / "half").touch()
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    with _whole(out) as folder:
        (folder / "page").touch()
    assert [path.name for path in out.iterdir()] == ["page"]
    with pytest.raises(ConfigError, match="something already"), _whole(out):
        pass
