"""The page on footguns: each pair of snippets runs and shows that wrong is not right; the tests it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/footguns.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.S | re.M))


@pytest.mark.parametrize("title", SECTIONS)
def test_wrong_and_right_run_as_written(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", SECTIONS[title], re.S)
    assert [block.split(":")[0] for block in blocks] == ["# wrong", "# right"]
    assert "assert" in blocks[1]
    monkeypatch.chdir(ROOT)
    exec(compile("".join(blocks), f"docs/footguns.md, {title}", "exec"), {})


@pytest.mark.parametrize("title", SECTIONS)
def test_the_test_that_holds_the_right_value_is_there(title: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECTIONS[title])
    assert named
    for file, name in named:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
