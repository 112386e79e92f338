"""The fingerprint moves with behaviour and with nothing else."""

import ast
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from blur.core import fingerprint as module
from blur.core.files import read_json
from blur.core.fingerprint import closure, fingerprint


@pytest.fixture
def package(tmp_path: Path) -> Path:
    source = tmp_path / "blur"
    (source / "losses").mkdir(parents=True)
    (source / "config").mkdir()
    files = {
        "__init__.py": "",
        "loop.py": "from blur.core2 import helper\nfrom blur.config.schema import S\n\n\n"
        "def run():\n    return helper() + 1\n",
        "core2.py": '"""Doc."""\n\n\ndef helper():\n    """Say."""\n    return 1  # why\n',
        "losses/__init__.py": "",
        "losses/ga.py": "from .. import core2\n\n\ndef ga():\n    return -core2.helper()\n",
        "losses/npo.py": "def npo():\n    return 2\n",
        "config/__init__.py": "",
        "config/schema.py": "S = 1\n",
    }
    for name, text in files.items():
        (source / name).write_text(text)
    return source


def clear() -> None:
    for cached in (module._fingerprint, module._closure, module._find, module._code, module._imports):
        cached.cache_clear()


def of(package: Path, *roots: str) -> str:
    clear()
    return fingerprint(roots, package)


def test_closure_follows_absolute_and_relative_imports_and_leaves_configuration_out(package: Path) -> None:
    clear()
    assert closure(["blur.loop"], package) == {"blur.loop", "blur.core2"}
    assert closure(["blur.losses.ga"], package) == {"blur.losses.ga", "blur.core2"}


def test_comments_docstrings_and_layout_do_not_count(package: Path) -> None:
    before = of(package, "blur.loop")
    (package / "core2.py").write_text("# new\ndef helper():\n    '''Other words.'''\n\n    return (1)\n")
    assert of(package, "blur.loop") == before


@pytest.mark.parametrize(
    ("old", "new"), [("return 1", "return 2"), ("return 1", "return 1.0"), ("return 1", "return None")]
)
def test_behaviour_of_an_imported_module_counts(package: Path, old: str, new: str) -> None:
    before = of(package, "blur.loop")
    path = package / "core2.py"
    path.write_text(path.read_text().replace(old, new))
    assert of(package, "blur.loop") != before


def test_a_loss_counts_only_for_those_who_name_it(package: Path) -> None:
    with_ga, with_npo = of(package, "blur.loop", "blur.losses.ga"), of(package, "blur.loop", "blur.losses.npo")
    (package / "losses/npo.py").write_text("def npo():\n    return 3\n")
    assert of(package, "blur.loop", "blur.losses.ga") == with_ga
    assert of(package, "blur.loop", "blur.losses.npo") != with_npo


def test_configuration_schema_does_not_count(package: Path) -> None:
    before = of(package, "blur.loop")
    (package / "config/schema.py").write_text("S = 2\n")
    assert of(package, "blur.loop") == before


def test_unknown_root_is_refused(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"blur\.losses\.nope"):
        of(package, "blur.losses.nope")


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_python_versions_agree(package: Path, version: str) -> None:
    python = shutil.which(f"python{version}")
    runs = python and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
    if not runs:
        pytest.skip(f"no python{version} here")
    (package / "core2.py").write_text(
        'import re\nfrom typing import NamedTuple\n\n\nclass A(NamedTuple):\n    """D."""\n\n    x: int = 1\n\n\n'
        "def helper(a, /, b=None, *c, d: str = 'x', **e):\n    def inner(): pass\n"
        "    return f'{a!r:>{b}} {c=}' if re else None\n"
    )
    here = of(package, "blur.loop")
    code = (
        "import pathlib, sys\nfrom blur.core.fingerprint import fingerprint\n"
        "print(fingerprint(['blur.loop'], pathlib.Path(sys.argv[1])))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(module.SOURCE.parent)}
    there = subprocess.run([python, "-c", code, str(package)], env=env, capture_output=True, text=True)
    assert there.stdout.strip() == here, there.stderr


def test_what_is_remembered_is_read_once(package: Path) -> None:
    before = of(package, "blur.loop")
    clear()
    module.remember(["blur.loop", "blur.core2", "torch"], package)
    (package / "core2.py").write_text("def helper():\n    return 2\n")
    assert fingerprint(["blur.loop"], package) == before, "the code that was read then"
    assert of(package, "blur.loop") != before


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has read no code yet."""
    clear()
    monkeypatch.setattr(module, "_KNOWN", {})
    monkeypatch.setattr(module, "_READ", {})


def test_code_that_was_read_is_not_read_again_and_edited_code_is(
    package: Path, tmp_path: Path, forgetful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, parsed = tmp_path / "code.json", []
    monkeypatch.setattr(module.syntax, "tree_of", lambda text, *_: parsed.append(text) or ast.parse(text))
    roots = ("blur.loop", "blur.losses.ga")
    before, modules = of(package, *roots), closure(roots, package)
    module.save(kept)
    assert len(parsed) == 3
    module._KNOWN.clear()
    module._READ.clear()
    module.load(kept)
    assert of(package, *roots) == before
    assert closure(roots, package) == modules == {"blur.loop", "blur.core2", "blur.losses.ga"}
    assert len(parsed) == 3, "nothing was read again"
    module._READ.clear()
    (package / "core2.py").write_text("from blur.losses import npo\n\n\ndef helper():\n    return 2\n")
    assert of(package, *roots) != before
    assert closure(roots, package) == {*modules, "blur.losses", "blur.losses.npo"}
    module.save(kept)
    assert len(read_json(kept)) == 5, "the old text of the edited module is not kept"


def test_code_read_by_another_reader_is_read_again(
    package: Path, tmp_path: Path, forgetful: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    of(package, "blur.loop")
    module.save(tmp_path / "code.json")
    clear()
    module.load(tmp_path / "code.json")
    monkeypatch.setattr(module, "_reader", lambda: b"another")
    known = set(module._KNOWN)
    of(package, "blur.loop")
    assert known.isdisjoint(set(module._READ) - known)
    assert len(module._READ) == 2 * len(known)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": ["b", [1]]}', '{"a": ["b", [[0, "c", 1]]]}'])
def test_a_file_of_code_read_that_is_spoilt_is_as_none(
    package: Path, tmp_path: Path, forgetful: None, text: str
) -> None:
    before = of(package, "blur.loop")
    (tmp_path / "code.json").write_text(text)
    module.load(tmp_path / "code.json")
    assert of(package, "blur.loop") == before


def test_where_nothing_can_be_kept_the_code_is_read_again(package: Path, tmp_path: Path, forgetful: None) -> None:
    before = of(package, "blur.loop")
    (tmp_path / "work").write_text("a file, where a folder should be")
    module.save(tmp_path / "work/code.json")
    module.load(tmp_path / "work/code.json")
    assert of(package, "blur.loop") == before
