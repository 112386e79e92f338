"""A job's own count of its processor time: work is told from imports, whichever way they are made."""

from __future__ import annotations

import importlib._bootstrap
import json
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from blur.core.processes import cpu_seconds
from blur.core.usage import VARIABLE, counted

SECONDS = 0.3
BUSY = "from blur.core.processes import cpu_seconds\nend = cpu_seconds() + {}\nwhile cpu_seconds() < end:\n    pass\n"
FIND: Any = importlib._bootstrap


def work(seconds: float = SECONDS) -> None:
    exec(BUSY.format(seconds))


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that takes the lines, and beside it modules whose import takes a while."""
    for name, before in {"slow_a": "", "slow_b": "import slow_c\n", "slow_c": "", "slow_d": ""}.items():
        (tmp_path / f"{name}.py").write_text(before + BUSY.format(SECONDS))
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "broken.py").write_text(BUSY.format(SECONDS) + "raise ImportError('broken')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "usage.jsonl"
    path.write_text("")
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_imports_are_no_work(lines: Path) -> None:
    before = cpu_seconds()
    with counted("evaluate"):
        import slow_a  # noqa: F401
        import slow_a as again  # noqa: F401

        import_module("slow_b")  # imports slow_c
        with pytest.raises(ImportError, match="broken"):
            import_module("broken")
        work()
    (line,) = read(lines)
    assert line["stage"] == "evaluate"
    assert line["useful"] == pytest.approx(SECONDS, abs=0.1)
    assert line["total"] == pytest.approx(before + 5 * SECONDS, abs=0.3)


def test_work_beside_another_thread_s_import_counts(lines: Path) -> None:
    with counted("evaluate"):
        thread = threading.Thread(target=import_module, args=("slow_d",))
        thread.start()
        thread.join()
    assert read(lines)[0]["useful"] == pytest.approx(SECONDS, abs=0.1)


def test_each_job_adds_a_line(lines: Path) -> None:
    for stage in ("data", "base"):
        with counted(stage):
            pass
    assert [line["stage"] for line in read(lines)] == ["data", "base"]


def test_a_failed_job_leaves_no_line_and_python_as_it_was(lines: Path) -> None:
    original = FIND._find_and_load

    def fail() -> None:
        assert FIND._find_and_load is not original
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"), counted("evaluate"):
        fail()
    assert FIND._find_and_load is original
    assert read(lines) == []


def test_a_job_whose_line_cannot_be_written_ends_well(lines: Path) -> None:
    lines.unlink()
    with counted("evaluate"):
        pass
    assert not lines.exists()


def test_a_job_that_a_person_types_counts_nothing(lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    original = FIND._find_and_load
    with counted("evaluate"):
        assert FIND._find_and_load is original
    assert read(lines) == []
