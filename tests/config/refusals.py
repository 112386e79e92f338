"""A copy of the configuration in which one thing is changed, and what `blur check` and Snakemake then look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from blur.config.check import check
from blur.config.plan import Plan
from blur.config.sources import require_folders
from blur.config.stages import unbuilt_sets
from blur.core import yaml as yaml_of_blur
from blur.workflow.resources import Needs

ROOT = Path(__file__).resolve().parents[2]


READ = yaml_of_blur.load


@pytest.fixture(autouse=True)
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read each text of YAML once: a test changes one file of seventy. Import it where it is wanted."""
    monkeypatch.setattr(yaml_of_blur, "load", read)


@cache
def read(text: str) -> Any:
    return READ(text)


def look(folder: Path, task: str = "tofu", **typed: Any) -> Plan:
    """Do what `blur check` does, for one task of scale ci."""
    plan = Plan(folder, {"scale": "ci", **typed})
    check(plan, task)
    require_folders(plan, task)
    unbuilt_sets(plan, task)
    Needs(plan).check()
    return plan


@contextmanager
def rewritten(file: Path, content: bytes) -> Iterator[None]:
    """Give a file other content for the length of a block."""
    before = file.read_bytes() if file.is_file() else None
    file.write_bytes(content)
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)


@contextmanager
def changed(file: Path, key: str, value: Any) -> Iterator[None]:
    """Set one value of a YAML file, by its dotted key, for the length of a block."""
    content = deepcopy(read(file.read_text(encoding="utf-8")))
    *above, last = (int(part) if part.isdigit() else part for part in key.split("/"))
    inner = content
    for part in above:
        if isinstance(part, str):
            inner.setdefault(part, {})
        inner = inner[part]
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    with rewritten(file, dumped(content)):
        yield


def dumped(content: Any) -> bytes:
    """YAML without anchors, so that a change in one place stays there."""
    dumper = type("Plain", (yaml.CSafeDumper,), {"ignore_aliases": lambda self, data: True})
    return yaml.dump(content, Dumper=dumper, allow_unicode=True, sort_keys=False).encode()


class Mark(Enum):
    """What stands for a key to be taken out, by a name that all workers of pytest print alike."""

    DELETED = "deleted"


DELETED = Mark.DELETED


def copy_config(target: Path) -> Path:
    """Copy the configuration folder."""
    return Path(shutil.copytree(ROOT / "config", target / "config"))
