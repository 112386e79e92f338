"""Tests that carry a mark lie where `make` looks for them: nothing else is imported there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("mark", ["workflow", "slurm"])
def test_make_looks_where_the_tests_with_a_mark_lie(mark: str) -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = text.replace("$(GRAPH)", re.findall(r"^GRAPH = (.+)$", text, re.M)[0])
    commands = re.findall(rf'^\tpytest (\S.*) -m (?:{mark}|"{mark} and not long")', text, re.M)
    assert len(commands) == 2, "CI's, and all"
    files = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")]
    marked = {path for path in files if f"pytest.mark.{mark}" in (ROOT / path).read_text(encoding="utf-8")}
    assert marked - {Path("tests/test_marks.py")}
    for command in commands:
        below = {path for path in marked for folder in command.split() if path.is_relative_to(folder)}
        assert marked - below == set()
