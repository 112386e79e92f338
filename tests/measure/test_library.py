"""What lm-eval's library has by a name is found in its files, and lm-eval is not imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from blur.measure import library

FILES = {
    "a/one.yaml": "task: one\ntag: [first, odd]\ndoc_to_text: !function utils.text\n",
    "a/base": "task: hidden\n",
    "b/two.yaml": "task: two_more\ntag: even\ninclude: ../base\n",
    "b/group.yaml": "group: both\ntask:\n  - one\n  - absent\n  - two_more\n",
    "b/broken.yaml": "task: [broken\n",
    "b/list.yaml": "- broken\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tasks")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize("name", ["one", "first", "odd", "two_more", "even", "both"])
def test_tasks_tags_and_groups_are_there(folder: Path, name: str) -> None:
    assert library.has(name, folder)


@pytest.mark.parametrize("name", ["two", "absent", "broken", "hidden", "utils.text", "On", ""])
def test_what_no_file_gives_as_its_name_is_not(folder: Path, name: str) -> None:
    assert not library.has(name, folder)


def test_names_are_suggested(folder: Path) -> None:
    assert library.known(folder) == ("both", "one", "two_more")


def test_the_installed_library_is_read_without_importing_it() -> None:
    code = (
        "import sys; from blur.measure.library import has; "
        "sys.exit(not (has('mmlu') and has('wmdp_bio') and not has('mmluu')) or 2 * ('lm_eval' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
