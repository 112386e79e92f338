"""A result says which commit made it, and whether code or settings differed from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from blur.core import manifest as manifests
from blur.core.commit import commit


def git(*words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)


def test_of_a_checkout(tmp_path: Path) -> None:
    git("init", "-q")
    assert commit() is None, "nothing is committed"
    for name in ("src/a.py", "config/a.yaml", "docs/a.md"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    git("add", "-A")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    assert commit() == head
    (tmp_path / "docs/a.md").write_text("2")
    assert commit() == head, "no page of the documentation makes another result"
    (tmp_path / "config/b.yaml").write_text("new, and not committed")
    assert commit() == f"{head}-changed"
    manifests.write(tmp_path / "result", "stage", {}, [])
    assert manifests.made(tmp_path / "result")["commit"] == f"{head}-changed"
    assert "commit" not in manifests.read(tmp_path / "result"), "it is no part of a result's identity"


def test_outside_a_checkout_and_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit() is None
    monkeypatch.setenv("PATH", "")
    assert commit() is None
