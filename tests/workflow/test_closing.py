"""A full disk is told in a line: at the end of a run, and by every command."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from blur import cli
from blur.core.errors import as_told
from blur.workflow import closing


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "results/ci/x")


class RustError(Exception):
    """As safetensors raises it."""


def test_the_end_of_a_run_tells_a_full_disk_and_does_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    monkeypatch.setattr(closing, "export_provenance", full)
    monkeypatch.setattr(closing, "sum_up", lambda scale, warm: done.append(scale))
    closing.close("ci", float)
    assert done == ["ci"]
    assert capsys.readouterr().err == (
        "blur: results/ci/x: no space left on device. Free some space, then type the same command again\n"
    )


def test_what_the_system_says_of_a_full_device_is_told() -> None:
    with pytest.raises(OSError, match="No space") as caught:
        Path("/dev/full").write_text("x")
    assert str(as_told(caught.value)) == "no space left on device. Free some space, then type the same command again"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "results/x"),
        OSError(errno.EDQUOT, "Disk quota exceeded", "results/x"),
        RustError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["disk", "quota", "safetensors"],
)
def test_a_command_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("blur: error: ")
    assert told.count("\n") == 1
    assert "Free some space" in told


def test_a_fault_of_the_program_is_no_such_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(KeyError):
        cli.main()
