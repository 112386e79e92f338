"""What a working directory has comes first, file by file; the rest is the packaged copy's."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from blur.config.plan import Plan
from blur.core import shipped
from tests.workflow.conftest import copy_checkout

ROOT = Path(__file__).parents[2]


def test_a_folder_of_its_own_files_has_the_rest_from_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scale = tmp_path / "config/scales/ci.yaml"
    scale.parent.mkdir(parents=True)
    scale.write_text((ROOT / "config/scales/ci.yaml").read_text().replace("title: ci", "title: mine", 1))
    (tmp_path / "config/methods").mkdir()
    (tmp_path / "config/methods/own.yaml").write_text((ROOT / "config/methods/npo.yaml").read_text())
    plan = Plan(overrides={"scale": "ci"})
    assert plan.scale.title == "mine", "its own file comes first"
    assert {"own", "blur_npo"} <= set(plan.methods)
    assert plan.method("own").settings == plan.method("npo").settings
    assert plan.layer("scales/ci.yaml")[0] == "config/scales/ci.yaml"
    assert plan.layer("scales/small.yaml")[0] == str(shipped.SHIPPED / "config/scales/small.yaml")
    assert plan.task("wmdp").benchmark.title
    assert shipped.find("config/none.yaml") == Path("config/none.yaml"), "an error names what was asked for"


def test_a_configuration_that_is_named_is_read_alone() -> None:
    assert shipped.find(ROOT / "config/none.yaml") == ROOT / "config/none.yaml"
    assert shipped.stems(ROOT / "config/tasks") == shipped.stems(shipped.SHIPPED / "config/tasks")
    assert shipped.stems(ROOT / "none") == ()


def test_a_wheel_holds_configuration_and_workflow(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    copy_checkout(clone)
    names = subprocess.run(["git", "ls-files"], cwd=clone, capture_output=True, text=True, check=True).stdout.split()
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(tmp_path), "."]
    subprocess.run([sys.executable, "-m", *build], cwd=clone, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name.removeprefix("blur/") for name in zipfile.ZipFile(wheel).namelist()}
    ours = [name for name in names if name.startswith(("config/", "workflow/", "profiles/")) or name == "Snakefile"]
    assert [name for name in ours if f"shipped/{name}" not in held] == []
    code = [name.removeprefix("src/blur/") for name in names if name.startswith("src/blur/") and "shipped" not in name]
    assert [name for name in code if name not in held] == []
