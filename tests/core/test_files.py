"""Temporary files of killed writers go; those of living ones stay, on whatever machine they live."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from blur.core.files import atomic_path, atomic_write_text, remove_litter, temporary_folder

WRITER = """
import sys, time
from pathlib import Path
from blur.core.files import atomic_path, temporary_folder
with atomic_path(Path("deep/weights")) as file, temporary_folder(Path("model")) as folder:
    file.write_text("half"), (folder / "part").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_a_killed_writer_leaves_goes_and_nothing_else(tmp_path: Path) -> None:
    atomic_write_text(tmp_path / "whole", "whole")
    (tmp_path / ".hidden").write_text("a person's")
    with subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
        before = names(tmp_path)
        remove_litter(tmp_path)
        assert names(tmp_path) == before, "its owner lives"
        writer.kill()
    remove_litter(tmp_path)
    assert names(tmp_path) == [".hidden", "whole"]


def test_the_files_of_this_process_stay(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "file") as file, temporary_folder(tmp_path / "folder") as folder:
        file.write_text("half")
        (folder / "part").write_text("half")
        remove_litter(tmp_path)
        assert (folder / "part").exists()
    assert names(tmp_path) == ["file"]
    assert not folder.exists()
