"""Snakemake's records survive the journey, and only with outputs that are what they were made for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blur.core.files import read_json, write_json
from blur.workflow import records

KEY = {"settings": {"gamma": 1.0}, "code": "abc"}
RECORD = {"rule": "unlearn", "params": [repr(json.dumps(KEY))], "log": ["a.log"], "starttime": 1.0, "endtime": 2.0}
OUTPUT = "results/ci/models/tofu/blur_npo/default/seed0/manifest.json"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_json(OUTPUT, {"key": KEY, "files": {}})
    records.write_record(OUTPUT, RECORD)
    return tmp_path


@pytest.mark.parametrize("name", ["data/ci/tofu/manifest.json", "results/ci/" + "long/" * 80 + "manifest.json"])
def test_a_record_is_read_as_it_was_written(checkout: Path, name: str) -> None:
    records.write_record(name, RECORD)
    assert dict(records.read_records())[name] == RECORD


def test_a_key_is_found_in_snakemake_s_form(checkout: Path) -> None:
    assert records.recorded_key(RECORD) == KEY
    assert records.recorded_key({"params": []}) is None


def test_export_and_import_bring_a_record_to_a_clone(checkout: Path) -> None:
    assert records.export_provenance("ci") == 1
    for path in records.METADATA.iterdir():
        path.unlink()
    assert records.import_provenance("ci") == ([OUTPUT], [])
    assert dict(records.read_records()) == {OUTPUT: RECORD}


def test_an_output_that_changed_gets_no_record(checkout: Path) -> None:
    records.export_provenance("ci")
    write_json(OUTPUT, {"key": KEY, "files": {"x": "y"}})
    for path in records.METADATA.iterdir():
        path.unlink()
    assert records.import_provenance("ci") == ([], [OUTPUT])
    assert dict(records.read_records()) == {}


def test_a_job_that_ran_with_another_key_is_no_result(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(OUTPUT, {"key": {**KEY, "code": "edited"}, "files": {}})
    assert records.export_provenance("ci") == 0
    assert not Path(OUTPUT).exists()
    assert "it will be made again" in capsys.readouterr().out


def test_an_unreadable_manifest_is_no_result_and_does_not_fail_the_run(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(OUTPUT).write_text("{")
    assert records.export_provenance("ci") == 0
    assert not Path(OUTPUT).exists()
    assert "not a readable manifest" in capsys.readouterr().out


def test_other_scales_and_half_written_records_are_left_out(checkout: Path) -> None:
    records.write_record(OUTPUT.replace("/ci/", "/small/"), RECORD)
    (records.METADATA / "aGFsZg==").write_text("{")
    assert records.export_provenance("ci") == 1
    assert list(read_json("results/ci/provenance/records.json")["records"]) == [OUTPUT]
